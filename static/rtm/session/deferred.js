/** A promise that somebody settles, or is reminded to after a time. */

/** @typedef {import("../connection/errors.js").RtmError} RtmError */

export class Deferred {
  #runtime;
  #timer;
  /** @type {() => void} */
  #resolve = () => {};
  /** @type {(error: RtmError) => void} */
  #reject = () => {};
  /** @type {Promise<void>} */
  promise;

  /**
   * @param {import("../connection/runtime.js").Runtime} runtime
   * @param {number} timeoutMs
   * @param {() => void} gaveUp called once that time is over
   */
  constructor(runtime, timeoutMs, gaveUp) {
    this.#runtime = runtime;
    this.#timer = runtime.setTimeout(gaveUp, timeoutMs);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve() {
    this.#runtime.clearTimeout(this.#timer);
    this.#resolve();
  }

  /** @param {RtmError} error */
  reject(error) {
    this.#runtime.clearTimeout(this.#timer);
    this.#reject(error);
  }
}
