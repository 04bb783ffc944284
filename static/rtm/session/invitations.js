/**
 * Call invitations (docs/contract.md 8): both sides are told by entries of their inboxes; of what is told twice, or
 * by a look at the list as well, each step comes to the application once, in order.
 */

import { Emitter } from "../connection/emitter.js";

/**
 * @typedef {object} InvitationView an invitation after a step of it
 * @property {string} invitation its id
 * @property {string} caller
 * @property {string} callee
 * @property {string} channel
 * @property {string} content
 * @property {string} response
 * @property {"SENT" | "RECEIVED" | "ACCEPTED" | "REFUSED" | "CANCELED" | "FAILED"} state
 * @property {string} reason why it failed, for this side
 * @property {number} step 1 is the sending
 * @property {number} ts milliseconds, the server's clock
 */

/** @typedef {{state: InvitationView["state"], reason: string, step: number, ts: number}} Answer after a call */

/**
 * @typedef {{changed: [view: InvitationView, isNew: boolean]}} InvitationsEvents
 * `isNew`: this client has not heard of it before. One's own are told too, from their sending on.
 */

/** So long an invitation lives unanswered; a call about it outlives any shorter loss of the connection. */
const TIMEOUT_MS = 60_000;
/** Ended ones that are remembered, so that an older word about them is known as such. */
const ENDED_KEPT = 200;

/** @extends {Emitter<InvitationsEvents>} */
export class Invitations extends Emitter {
  #session;
  /** @type {Map<string, InvitationView>} those that are open, as they were told last */
  #open = new Map();
  /** @type {Set<string>} in the order of their ends */
  #ended = new Set();
  /** Counts the sessions. */
  #life = 0;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
  }

  /**
   * @param {{peer: string, content?: string, channel?: string}} invitation
   * @returns {{id: string, done: Promise<Answer>}} `id` is its `invitation`; `done` rejects as any call does
   */
  send({ peer, content = "", channel = "" }) {
    const id = this.#session.makeId();
    return { id, done: this.#call("send", { invitation: id, peer, content, channel }) };
  }

  /**
   * The callee's client shows it; done by itself for each new one.
   * @param {string} caller
   * @param {string} id
   * @returns {Promise<Answer>} rejects with "invitation_ended" (its `data` has the state) or "invitation_not_found"
   */
  confirm(caller, id) {
    return this.#call("confirm", { invitation: id, caller });
  }

  /** @param {string} caller @param {string} id @param {string} [response] @returns {Promise<Answer>} as `confirm` */
  accept(caller, id, response = "") {
    return this.#call("accept", { invitation: id, caller, response });
  }

  /** @param {string} caller @param {string} id @param {string} [response] @returns {Promise<Answer>} as `confirm` */
  refuse(caller, id, response = "") {
    return this.#call("refuse", { invitation: id, caller, response });
  }

  /** @param {string} id @param {string} [content] told with it @returns {Promise<Answer>} as `confirm` */
  cancel(id, content) {
    return this.#call("cancel", { invitation: id, ...(content !== undefined && { content }) });
  }

  /** @param {boolean} isResumed else what was told meanwhile may be gone from the inbox */
  connected(isResumed) {
    if (!isResumed) this.#list();
  }

  /** The session is over, and with it the invitations. */
  reset() {
    this.#open.clear();
    this.#life += 1;
  }

  /** @param {InvitationView} view from the inbox or the list */
  received(view) {
    const key = `${view.caller} ${view.invitation}`;
    const known = this.#open.get(key);
    if (this.#ended.has(key) || (known && known.step >= view.step)) return;
    if (view.state === "SENT" || view.state === "RECEIVED") this.#open.set(key, view);
    else this.#end(key);
    if (view.state === "SENT" && view.callee === this.#session.uid) {
      // What has become of it is told by its next entry.
      this.confirm(view.caller, view.invitation).catch(() => {});
    }
    this.emit("changed", view, !known);
  }

  /** @param {string} key */
  #end(key) {
    this.#open.delete(key);
    this.#ended.add(key);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= ENDED_KEPT) break;
      this.#ended.delete(oldest);
    }
  }

  /** @param {number} [before] the number of the last one seen */
  #list(before) {
    const life = this.#life;
    this.#session.restore("invitation.list", before === undefined ? {} : { before }, (error, result) => {
      if (error || life !== this.#life) return;
      for (const { number, ...view } of result.invitations) {
        this.received(view);
        if (life !== this.#life) return;
        before = number;
      }
      if (result.more) this.#list(before);
    });
  }

  /**
   * @param {string} verb
   * @param {object} params
   */
  #call(verb, params) {
    return this.#session.call(`invitation.${verb}`, params, TIMEOUT_MS);
  }
}
