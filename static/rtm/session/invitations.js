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
   * @param {string} caller
   * @param {string} id
   * @param {string} [response]
   * @returns {Promise<Answer>} rejects with "invitation_ended" (its `data` has the state) or "invitation_not_found"
   */
  accept(caller, id, response = "") {
    return this.#call("accept", { invitation: id, caller, response });
  }

  /** @param {string} caller @param {string} id @param {string} [response] @returns {Promise<Answer>} as `accept` */
  refuse(caller, id, response = "") {
    return this.#call("refuse", { invitation: id, caller, response });
  }

  /** @param {string} id @param {string} [content] told with it @returns {Promise<Answer>} as `accept` */
  cancel(id, content) {
    return this.#call("cancel", { invitation: id, content });
  }

  /**
   * The inbox has told what it has; after a session that went meanwhile, that may not be all.
   * @param {boolean} isResumed
   */
  connected(isResumed) {
    if (!isResumed) this.#list(new Map(this.#open));
  }

  /** The session is over, and with it the invitations. */
  reset() {
    this.#open.clear();
    this.#life += 1;
  }

  /** @param {InvitationView} view from the inbox or the list */
  received(view) {
    const key = keyOf(view);
    const known = this.#open.get(key);
    if (this.#ended.has(key) || (known && known.step >= view.step)) return;
    if (view.state === "SENT" || view.state === "RECEIVED") this.#open.set(key, view);
    else this.#end(key);
    if (view.state === "SENT" && view.callee === this.#session.uid) {
      // Shown from now on; what has become of it meanwhile is told by its next entry.
      const { caller, invitation } = view;
      this.#session.call("invitation.confirm", { invitation, caller }, TIMEOUT_MS, { isPatient: true }).catch(() => {});
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

  /**
   * @param {Map<string, InvitationView>} missing those that were open and have not been found in the list
   * @param {number} [before] the number of the last one seen
   */
  #list(missing, before) {
    const life = this.#life;
    this.#session.restore("invitation.list", { before }, (error, result) => {
      if (error || life !== this.#life) return;
      for (const { number, ...view } of result.invitations) {
        missing.delete(keyOf(view));
        this.received(view);
        if (life !== this.#life) return;
        before = number;
      }
      if (result.more) this.#list(missing, before);
      else for (const view of missing.values()) this.#askAfter(view);
    });
  }

  /** @param {InvitationView} view that has ended, as it was told last */
  #askAfter(view) {
    const life = this.#life;
    const { invitation, caller } = view;
    const isOwn = caller === this.#session.uid;
    const method = isOwn ? "invitation.cancel" : "invitation.confirm";
    this.#session.restore(method, isOwn ? { invitation } : { invitation, caller }, (error, result) => {
      if (life !== this.#life) return;
      const gone = { state: "FAILED", reason: "INVITATION_EXPIRE", step: view.step + 1 };
      const { state, reason, step, ts = view.ts } = result ?? (error?.name === "invitation_ended" ? error.data : gone);
      this.received({ ...view, state, reason, step, ts });
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

/** @param {{caller: string, invitation: string}} view */
const keyOf = ({ caller, invitation }) => `${caller} ${invitation}`;
