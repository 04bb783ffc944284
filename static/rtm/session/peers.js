/** Messages between users: each received once, in order; a send outlives lost connections under its message id. */

import { Emitter } from "../connection/emitter.js";

/** @typedef {import("../connection/protocol.js").Entry} Entry */
/** @typedef {import("../connection/protocol.js").Message} Message */

/**
 * @typedef {object} SendOptions
 * @property {boolean} [offline] kept for a peer who is away
 * @property {boolean} [historical] the two can read it back
 * @property {string} [messageId] that of an earlier attempt, so that it is the same message
 * @property {number} [timeoutMs] for all attempts together
 */

/** @typedef {{message: [entry: Entry, isOffline: boolean]}} PeersEvents `isOffline`: it came while we were away */

/** @extends {Emitter<PeersEvents>} */
export class Peers extends Emitter {
  #session;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
  }

  /**
   * @param {string} peer
   * @param {Message} message
   * @param {SendOptions} [options]
   * @returns {Promise<{received: boolean, ts: number}>} `received`: the peer's client has it
   */
  send(peer, message, options) {
    return this.#send("peer.send", { peer }, message, options);
  }

  /**
   * @param {string[]} peers at most 100
   * @param {Message} message
   * @param {SendOptions} [options]
   * @returns {Promise<{received: Record<string, boolean>, failed: Record<string, string>}>} by peer; `failed`: names
   *   of errors, where it is not known
   */
  sendMany(peers, message, options) {
    return this.#send("peer.send_many", { peers }, message, options);
  }

  /**
   * @param {string} peer
   * @param {{before?: number, after?: number, limit?: number, order?: "asc" | "desc"}} [range] positions, exclusive
   * @returns {Promise<{messages: any[], more: boolean}>} what the two have sent each other with `historical`
   */
  history(peer, range = {}) {
    return this.#session.call("peer.history", { peer, ...range });
  }

  /**
   * @param {Entry} entry of the inbox
   * @param {boolean} wasAway
   */
  received(entry, wasAway) {
    this.emit("message", entry, wasAway && entry.body.offline === true);
  }

  /**
   * @param {string} method
   * @param {object} to
   * @param {Message} message
   * @param {SendOptions} [options]
   */
  #send(method, to, message, { offline, historical, messageId = this.#session.makeId(), timeoutMs } = {}) {
    const params = {
      ...to,
      message_id: messageId,
      message,
      offline: offline || undefined,
      historical: historical || undefined,
    };
    return this.#session.call(method, params, timeoutMs);
  }
}
