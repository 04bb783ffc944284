/** Calls that outlive a connection: they wait for one, and are made again where one is lost under them. */

import { TimeoutError } from "../connection/errors.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {{method: string, params: object, deadline: number, settle: Settle}} Call */

export class Calls {
  #runtime;
  #send;
  /** @type {Map<Call, unknown>} what waits for a connection, in order, with its timer */
  #waiting = new Map();

  /**
   * @param {Runtime} runtime
   * @param {(method: string, params: object, settle: Settle, timeoutMs: number) => boolean} send
   *   false where there is no connection
   */
  constructor(runtime, send) {
    this.#runtime = runtime;
    this.#send = send;
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {number} timeoutMs for all attempts together
   * @returns {Promise<any>}
   */
  make(method, params, timeoutMs) {
    return new Promise((resolve, reject) => {
      this.#place({
        method,
        params,
        deadline: this.#runtime.monotonicNow() + timeoutMs,
        settle: (error, result) => (error ? reject(error) : resolve(result)),
      });
    });
  }

  /** There is a connection: makes the waiting calls, in their order. */
  flush() {
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const [call, timer] of calls) {
      this.#runtime.clearTimeout(timer);
      this.#place(call);
    }
  }

  /**
   * There will be none.
   * @param {import("../connection/errors.js").RtmError} error
   */
  fail(error) {
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const [call, timer] of calls) {
      this.#runtime.clearTimeout(timer);
      call.settle(error, null);
    }
  }

  /** @param {Call} call */
  #place(call) {
    const leftMs = Math.max(0, call.deadline - this.#runtime.monotonicNow());
    /** @type {Settle} */
    const settle = (error, result) => {
      if (error?.name === "connection_lost") this.#place(call);
      else call.settle(error, result);
    };
    if (this.#send(call.method, call.params, settle, leftMs)) return;
    const timer = this.#runtime.setTimeout(() => {
      this.#waiting.delete(call);
      call.settle(new TimeoutError(call.method), null);
    }, leftMs);
    this.#waiting.set(call, timer);
  }
}
