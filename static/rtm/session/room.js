/**
 * A room as its member sees it: joined once and kept joined over reconnects, messages in order, an outbox,
 * who is here, attributes.
 */

import { Attributes } from "./attributes.js";
import { Backoff } from "../connection/backoff.js";
import { Emitter } from "../connection/emitter.js";
import { NotConnectedError, RpcError, RtmError, TimeoutError } from "../connection/errors.js";
import { createIdMaker } from "../connection/ids.js";
import { Members } from "./members.js";
import { Outbox } from "./outbox.js";
import { Stream } from "./stream.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../connection/protocol.js").Entry} Entry */
/** @typedef {import("../connection/protocol.js").Message} Message */
/** @typedef {import("./outbox.js").Receipt} Receipt */

/**
 * @typedef {{
 *   message: [entry: Entry, isOwn: boolean],
 *   attributes: [change: Entry],
 *   joined: [uid: string],
 *   left: [uid: string],
 *   members: [],
 *   lost: [gap: {from: number, to: number}],
 *   removed: [error: RtmError],
 * }} RoomEvents
 * `message`: each once, in order, own ones too. `joined` and `left`: others, after one's own join; `members`:
 * the list or the count has changed. `lost`: entries after `from` up to `to` are in the history only.
 * `removed`: the server does not let us back in.
 */

const JOIN_TIMEOUT_MS = 5000;

/** @extends {Emitter<RoomEvents>} */
export class Room extends Emitter {
  #session;
  #name;
  #stream;
  #outbox;
  #backoff;
  #makeId;
  /** Whether the application wants to be in. */
  #isWanted = false;
  /** Whether the server has let us in, on this connection. */
  #isIn = false;
  #hasMembers = false;
  /** @type {{promise: Promise<void>, resolve: () => void, reject: (error: RtmError) => void} | null} */
  #joining = null;
  /** @type {unknown} */
  #retryTimer = null;
  members = new Members();
  attributes = new Attributes();

  /**
   * @param {Session} session
   * @param {string} name
   */
  constructor(session, name) {
    super();
    this.#session = session;
    this.#name = name;
    this.#makeId = createIdMaker(session.runtime);
    this.#backoff = new Backoff(session.runtime);
    this.#outbox = new Outbox(session.runtime, (messageId, message, follows, settle) => {
      const params = { room: name, message_id: messageId, message, ...(follows && { follows }) };
      session.request("room.send", params, settle);
    });
    this.#stream = new Stream({
      name: `room:${name}`,
      runtime: session.runtime,
      read: (after, settle) => session.request("stream.read", { stream: `room:${name}`, after }, settle),
      deliver: (entry) => this.#deliver(entry),
      lost: (gap) => this.emit("lost", gap),
    });
  }

  get name() {
    return this.#name;
  }

  /** Whether messages go out right now. */
  get isIn() {
    return this.#isIn;
  }

  /** The seq of the last entry seen: what is at or below it is history. */
  get seq() {
    return this.#stream.cursor?.seq ?? 0;
  }

  /**
   * Joins, and stays joined until `leave`, whatever happens to the connection. Calling it again while it is
   * wanted gives the same promise.
   * @returns {Promise<void>} rejects with the server's refusal, or "timeout"
   */
  join() {
    if (this.#joining) return this.#joining.promise;
    if (this.#isIn) return Promise.resolve();
    /** @type {() => void} */
    let resolve = () => {};
    /** @type {(error: RtmError) => void} */
    let reject = () => {};
    /** @type {Promise<void>} */
    const promise = new Promise((...settle) => ([resolve, reject] = settle));
    const timer = this.#session.runtime.setTimeout(
      () => this.#refused(new TimeoutError("room.join")),
      JOIN_TIMEOUT_MS,
    );
    const settled = () => {
      this.#session.runtime.clearTimeout(timer);
      this.#joining = null;
    };
    this.#joining = {
      promise,
      resolve: () => (settled(), resolve()),
      reject: (error) => (settled(), reject(error)),
    };
    if (!this.#isWanted) {
      this.#isWanted = true;
      this.#session.router.addRoom(this.#name, this);
      this.#session.router.addStream(this.#stream);
      if (this.#session.state === "CONNECTED") this.#enter();
    }
    return promise;
  }

  /** @returns {Promise<void>} rejects with "not_connected" after a logout */
  async leave() {
    this.#forget(new RtmError("aborted", "the room was left meanwhile", false));
    await this.#session.call("room.leave", { room: this.#name });
  }

  /**
   * @param {Message} message
   * @param {{messageId?: string, timeoutMs?: number}} [options] `messageId`: that of an earlier attempt, so
   *   that it is the same message. Without `timeoutMs` it waits for the connection for ever.
   * @returns {Promise<Receipt>}
   */
  send(message, { messageId = this.#makeId(), timeoutMs } = {}) {
    if (!this.#isWanted) return Promise.reject(new NotConnectedError());
    return this.#outbox.add(messageId, message, timeoutMs);
  }

  /** A new message id, for `send`. */
  makeMessageId() {
    return this.#makeId();
  }

  /** @param {string} messageId of a message that is to be sent no more */
  discard(messageId) {
    this.#outbox.discard(messageId);
  }

  /**
   * @param {{before?: number, after?: number, limit?: number, order?: "asc" | "desc"}} range seqs, exclusive
   * @returns {Promise<{entries: Entry[], more: boolean}>} in the order asked for
   */
  history(range) {
    return this.#session.call("room.history", { room: this.#name, ...range });
  }

  /** @param {Set<string>} streams the login is still subscribed to */
  connected(streams) {
    if (streams.has(this.#stream.name) && this.#hasMembers) this.#entered();
    else this.#enter();
  }

  /** @param {RtmError | null} error */
  disconnected(error) {
    this.#isIn = false;
    this.#session.runtime.clearTimeout(this.#retryTimer);
    this.#outbox.close();
    if (error) this.#forget(error);
  }

  /**
   * @param {string} method
   * @param {any} params
   */
  pushed(method, params) {
    if (method === "room.joined" && this.members.join(params.uid)) this.#changed([params.uid], []);
    else if (method === "room.left" && this.members.leave(params.uid)) this.#changed([], [params.uid]);
    else if (method === "room.counted" && this.members.recount(params.count)) this.emit("members");
  }

  /** Asks to be let in; after an earlier stay, with the cursor of then. */
  #enter() {
    const { cursor } = this.#stream;
    const params = { room: this.#name, ...(cursor && { after: cursor }) };
    this.#session.request("room.join", params, (error, result) => {
      if (!this.#isWanted) return;
      if (error) {
        // A lost connection is followed by another, which comes here again.
        if (error.name === "connection_lost") return;
        if (error.retryable) this.#again(error, () => this.#enter());
        else this.#refused(error);
        return;
      }
      this.#backoff.reset();
      this.attributes.replace(result);
      this.members.recount(result.member_count);
      if (cursor) this.#stream.resume(result);
      else this.#stream.open(result);
      if (this.#isWanted) this.#entered();
    });
  }

  /**
   * @param {RtmError} error that passes
   * @param {() => void} attempt
   */
  #again(error, attempt) {
    const givenMs = error instanceof RpcError ? error.retryAfterMs || null : null;
    this.#retryTimer = this.#session.runtime.setTimeout(attempt, this.#backoff.next(givenMs));
  }

  #entered() {
    this.#isIn = true;
    this.#refreshMembers();
    this.#joining?.resolve();
    this.#outbox.open();
  }

  #refreshMembers() {
    this.#session.request("room.members", { room: this.#name }, (error, result) => {
      if (!this.#isIn) return;
      if (error) {
        if (error.retryable) this.#again(error, () => this.#refreshMembers());
        return;
      }
      const { joined, left } = this.members.replace(result);
      if (this.#hasMembers) this.#changed(joined, left);
      else this.emit("members");
      this.#hasMembers = true;
    });
  }

  /**
   * @param {string[]} joined
   * @param {string[]} left
   */
  #changed(joined, left) {
    const { uid } = this.#session;
    for (const other of joined) if (other !== uid) this.emit("joined", other);
    for (const other of left) if (other !== uid) this.emit("left", other);
    this.emit("members");
  }

  /** @param {Entry} entry */
  #deliver(entry) {
    if (entry.event === "room.sent") {
      const isOwn = entry.sender === this.#session.uid;
      if (isOwn) this.#outbox.confirm(entry.message_id, { seq: entry.seq, ts: entry.ts });
      this.emit("message", entry, isOwn);
    } else if (entry.event === "room.attributes_changed") {
      if (this.attributes.apply(entry)) this.emit("attributes", entry);
    }
  }

  /** @param {RtmError} error the server does not let us in */
  #refused(error) {
    const wasIn = this.#hasMembers;
    this.#forget(error);
    if (wasIn) this.emit("removed", error);
  }

  /** @param {RtmError} error for who waits */
  #forget(error) {
    this.#isWanted = false;
    this.#isIn = false;
    this.#hasMembers = false;
    this.members = new Members();
    this.#session.runtime.clearTimeout(this.#retryTimer);
    this.#session.router.removeRoom(this.#name, this);
    this.#session.router.removeStream(this.#stream);
    this.#stream.close();
    this.#joining?.reject(error);
    this.#outbox.fail(error);
  }
}
