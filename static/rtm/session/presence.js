/**
 * Other users' online states. A subscription ends with its connection: it is made again after each login, and what
 * has changed meanwhile is told as any change.
 */

import { Emitter } from "../connection/emitter.js";

/** @typedef {"ONLINE" | "UNREACHABLE" | "OFFLINE"} OnlineState */
/** @typedef {Record<string, OnlineState>} States by uid */
/** @typedef {{changed: [states: States]}} PresenceEvents those that changed, or were subscribed to just now */

/** @extends {Emitter<PresenceEvents>} */
export class Presence extends Emitter {
  #session;
  /** @type {Map<string, OnlineState | null>} of the users subscribed to; null until the first answer */
  #known = new Map();
  /** @type {unknown} runs while somebody may come back to a server that has forgotten them */
  #timer = null;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
  }

  /**
   * @param {string[]} uids at most 256
   * @returns {Promise<States>}
   */
  async query(uids) {
    return (await this.#session.call("presence.query", { uids })).states;
  }

  /**
   * The states of all of them follow at once, then each change. The same one again is no error.
   * @param {string[]} uids at most 512 in all
   * @returns {Promise<void>}
   */
  async subscribe(uids) {
    const { states } = await this.#session.call("presence.subscribe", { uids });
    for (const [uid, state] of Object.entries(states)) this.#known.set(uid, state);
    this.emit("changed", states);
  }

  /**
   * @param {string[]} uids of whom nothing is told any more, from now on
   * @returns {Promise<void>}
   */
  async unsubscribe(uids) {
    for (const uid of uids) this.#known.delete(uid);
    await this.#session.call("presence.unsubscribe", { uids });
  }

  /** @returns {Promise<string[]>} the users subscribed to */
  async list() {
    await this.#session.call("presence.subscriptions", {});
    return [...this.#known.keys()];
  }

  /** There is another connection. */
  connected() {
    const { runtime } = this.#session;
    runtime.clearTimeout(this.#timer);
    const uids = [...this.#known.keys()];
    if (uids.length === 0) return;
    this.#session.restore("presence.subscribe", { uids }, (error, result) => {
      if (error) return;
      const { states } = result;
      const { doubtMs } = this.#session;
      const missing = uids.filter((uid) => states[uid] === "OFFLINE" && this.#known.get(uid) !== "OFFLINE");
      if (missing.length > 0 && doubtMs > 0) {
        // They may be on their way back, as we were: they are gone if they are not here in the end.
        for (const uid of missing) states[uid] = "UNREACHABLE";
        this.#timer = runtime.setTimeout(() => this.connected(), doubtMs);
      }
      this.pushed(states);
    });
  }

  /** The session is over. */
  reset() {
    this.#session.runtime.clearTimeout(this.#timer);
    this.#known.clear();
  }

  /** @param {States} states new ones, or the same */
  pushed(states) {
    /** @type {States} */
    const changed = {};
    for (const [uid, state] of Object.entries(states)) {
      if (!this.#known.has(uid) || this.#known.get(uid) === state) continue;
      this.#known.set(uid, state);
      changed[uid] = state;
    }
    if (Object.keys(changed).length > 0) this.emit("changed", changed);
  }
}
