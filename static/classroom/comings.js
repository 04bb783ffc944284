/**
 * Who comes and goes, as it is told. After a lost connection the list of members may be shorter for a moment:
 * a server that was restarted meets everybody anew. Who is back soon was never away, and nothing is said.
 */

/** @typedef {"joined" | "left"} What */

/** The list is in doubt that long after a connection came back. */
const DOUBT_MS = 3000;
/** Who has not come back by then has left: the longest pause between two attempts to connect, and some. */
const PATIENCE_MS = 20_000;

export class Comings {
  #runtime;
  #tell;
  #doubtUntil = -Infinity;
  /** @type {Map<string, unknown>} timers of those who may come back */
  #awaited = new Map();

  /**
   * @param {import("../rtm/index.js").Runtime} runtime
   * @param {(what: What, uid: string) => void} tell
   */
  constructor(runtime, tell) {
    this.#runtime = runtime;
    this.#tell = tell;
  }

  /** The connection is back: what the list says now is not the last word. */
  returned() {
    this.#doubtUntil = this.#runtime.monotonicNow() + DOUBT_MS;
  }

  /** @param {string} uid */
  joined(uid) {
    if (!this.#awaited.has(uid)) this.#tell("joined", uid);
    this.#forget(uid);
  }

  /** @param {string} uid */
  left(uid) {
    if (this.#runtime.monotonicNow() >= this.#doubtUntil) {
      this.#tell("left", uid);
      return;
    }
    const timer = this.#runtime.setTimeout(() => {
      this.#awaited.delete(uid);
      this.#tell("left", uid);
    }, PATIENCE_MS);
    this.#awaited.set(uid, timer);
  }

  stop() {
    for (const uid of [...this.#awaited.keys()]) this.#forget(uid);
  }

  /** @param {string} uid */
  #forget(uid) {
    this.#runtime.clearTimeout(this.#awaited.get(uid));
    this.#awaited.delete(uid);
  }
}
