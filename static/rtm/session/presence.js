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
  /** @type {Map<string, OnlineState>} of the users subscribed to */
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
    await this.#call("subscribe", uids, ({ states }) => {
      for (const [uid, state] of Object.entries(states)) this.#known.set(uid, state);
      this.emit("changed", states);
    });
  }

  /**
   * @param {string[]} uids of whom nothing is told any more, once the server has taken it
   * @returns {Promise<void>}
   */
  async unsubscribe(uids) {
    await this.#call("unsubscribe", uids, () => {
      for (const uid of uids) this.#known.delete(uid);
    });
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
    const changed = Object.entries(states).filter(([uid, state]) => (this.#known.get(uid) ?? state) !== state);
    for (const [uid, state] of changed) this.#known.set(uid, state);
    if (changed.length > 0) this.emit("changed", Object.fromEntries(changed));
  }

  /**
   * @param {string} verb
   * @param {string[]} uids
   * @param {(result: any) => void} apply
   */
  #call(verb, uids, apply) {
    return this.#session.call(`presence.${verb}`, { uids }, undefined, { apply });
  }
}
