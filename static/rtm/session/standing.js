/** The state of a session as its application is told it: a connection that is back in time changes nothing. */

/** @typedef {import("./terms.js").State} State */
/** @typedef {import("./terms.js").Reason} Reason */

/** So long after the last sign of life a lost connection is told (docs/contract.md 6). */
const INTERRUPTED_AFTER_MS = 4000;

export class Standing {
  #runtime;
  #tell;
  /** @type {State} */
  #state = "DISCONNECTED";
  /** @type {Reason | null} */
  #reason = null;
  /** @type {unknown} runs while a lost connection may still come back unnoticed */
  #grace = null;

  /**
   * @param {import("../connection/runtime.js").Runtime} runtime
   * @param {(state: State, reason: Reason) => void} tell
   */
  constructor(runtime, tell) {
    this.#runtime = runtime;
    this.#tell = tell;
  }

  get state() {
    return this.#state;
  }

  /** Whether the connection is lost, and that has not been told. */
  get isInDoubt() {
    return this.#grace !== null;
  }

  /**
   * @param {State} state
   * @param {Reason} reason
   */
  set(state, reason) {
    this.#runtime.clearTimeout(this.#grace);
    this.#grace = null;
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#tell(state, reason);
  }

  /** @param {number} heardAt when the connection that is lost was last heard, by the monotonic clock */
  doubt(heardAt) {
    const waitMs = Math.max(0, heardAt + INTERRUPTED_AFTER_MS - this.#runtime.monotonicNow());
    this.#grace = this.#runtime.setTimeout(() => this.set("RECONNECTING", "INTERRUPTED"), waitMs);
  }
}
