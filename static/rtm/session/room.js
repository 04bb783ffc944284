/**
 * A room as its member sees it: joined once and kept joined over reconnects, messages in order, an outbox,
 * who is here, attributes.
 */

import { Backoff } from "../connection/backoff.js";
import { Emitter } from "../connection/emitter.js";
import { NotConnectedError, RtmError, TimeoutError } from "../connection/errors.js";
import { Attendance } from "./attendance.js";
import { Attributes } from "./attributes.js";
import { Deferred } from "./deferred.js";
import { Outbox } from "./outbox.js";
import { streamOf } from "./stream.js";
import { isMessage } from "./terms.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../connection/protocol.js").Entry} Entry */
/** @typedef {import("../connection/protocol.js").Message} Message */
/** @typedef {import("./outbox.js").Receipt} Receipt */

/**
 * @typedef {{
 *   message: [entry: Entry, isOwn: boolean],
 *   attributes: [change: import("./attributes.js").Change],
 *   joined: [uid: string],
 *   left: [uid: string],
 *   members: [],
 *   count: [count: number],
 *   lost: [gap: {from: number, to: number}],
 *   removed: [error: RtmError],
 * }} RoomEvents
 * `message`: each once, in order, own ones too; `isOwn`: sent by this client, and so known to its application.
 * `attributes`: the newest change, after a gap one for all that asked that members be told; `sender` is "" where it
 * was not seen. `joined` and `left`: others, after one's own join; `members`: the list or the count has changed.
 * `count`: at one's own join, then when it is another. After a gap come the messages, then one `attributes`, `joined`
 * and `left`, one `count`. `lost`: entries after `from` up to `to` are in the history only. `removed`: the server does
 * not let us back in.
 */

const JOIN_TIMEOUT_MS = 5000;

/** @extends {Emitter<RoomEvents>} */
export class Room extends Emitter {
  #session;
  #name;
  #stream;
  #outbox;
  #backoff;
  #attendance;
  /** Whether its first join waits while rooms are joined too often. */
  #isPatient = true;
  /** Whether the server has let us in, on this connection. */
  #isIn = false;
  /** Whether it has let us in since the application wanted it. */
  #wasIn = false;
  /** Counts joins and their ends: the answer to an earlier one is void. */
  #stay = 0;
  /** @type {Deferred | null} */
  #joining = null;
  /** @type {unknown} */
  #retryTimer = null;
  attributes;

  /**
   * @param {Session} session
   * @param {string} name
   */
  constructor(session, name) {
    super();
    this.#session = session;
    this.#name = name;
    this.#backoff = new Backoff(session.runtime);
    this.attributes = new Attributes(session, name, (change) => this.emit("attributes", change));
    this.#attendance = new Attendance(session, name, {
      joined: (uid) => this.emit("joined", uid),
      left: (uid) => this.emit("left", uid),
      members: () => this.emit("members"),
      count: (count) => this.emit("count", count),
    });
    this.#outbox = new Outbox(session.runtime, ({ messageId, message, isHistorical }, follows, settle) => {
      const params = {
        room: name,
        message_id: messageId,
        message,
        historical: isHistorical || undefined,
        follows: follows ?? undefined,
      };
      const stay = this.#stay;
      session.request("room.send", params, (error, result) => {
        if (error?.name === "not_in_room" && this.#isIn && stay === this.#stay) {
          // Not so by our account: we go in again, and what waits goes out then.
          this.disconnected(null);
          this.#again(error);
        } else {
          settle(error, result);
        }
      });
    });
    this.#stream = streamOf(session, `room:${name}`, {
      deliver: (entry) => this.#deliver(entry),
      lost: (gap) => {
        this.attributes.doubt();
        this.emit("lost", gap);
      },
      live: () => this.#caughtUp(),
    });
  }

  get name() {
    return this.#name;
  }

  /** Whether messages go out right now. */
  get isIn() {
    return this.#isIn;
  }

  get members() {
    return this.#attendance.members;
  }

  /** The seq of the last entry seen: what is at or below it is history. */
  get seq() {
    return this.#stream.cursor?.seq ?? 0;
  }

  /**
   * Joins, and stays joined until `leave`, whatever happens to the connection. Calling it again while it is
   * wanted gives the same promise.
   * @param {{patient?: boolean}} [options] `patient: false`: refused with "too_often" or "join_same_room_too_often"
   *   when the rate is spent; else that is waited out. Once in, it always is
   * @returns {Promise<void>} rejects with the server's refusal, or "timeout"
   */
  join({ patient = true } = {}) {
    if (this.#joining) return this.#joining.promise;
    if (this.#wasIn) return Promise.resolve();
    this.#joining = new Deferred(this.#session.runtime, JOIN_TIMEOUT_MS, () => this.#gaveUp());
    const { promise } = this.#joining;
    this.#isPatient = patient;
    this.#stay += 1;
    this.#session.router.addRoom(this.#name, this);
    this.#session.router.addStream(this.#stream);
    if (this.#session.isReady) this.#enter();
    return promise;
  }

  /** @returns {Promise<void>} rejects with "not_connected" after a logout */
  leave() {
    this.#forget(new RtmError("aborted"));
    return this.#session.router.leave(this.#name);
  }

  /**
   * @param {Message} message
   * @param {{messageId?: string} & import("./outbox.js").Delivery} [options] `messageId`: that of an earlier attempt,
   *   so that it is the same message
   * @returns {Promise<Receipt>}
   */
  send(message, { messageId = this.#session.makeId(), ...delivery } = {}) {
    if (!this.#joining && !this.#wasIn) return Promise.reject(new NotConnectedError());
    return this.#outbox.add(messageId, message, delivery);
  }

  /** A new message id, for `send`. */
  makeMessageId() {
    return this.#session.makeId();
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
    if (streams.has(this.#stream.name) && this.#wasIn) this.#entered();
    else this.#enter();
  }

  /** @param {RtmError | null} error */
  disconnected(error) {
    this.#isIn = false;
    this.attributes.pause();
    this.#attendance.pause();
    this.#session.runtime.clearTimeout(this.#retryTimer);
    this.#outbox.close();
    if (error) this.#forget(error);
  }

  /**
   * @param {string} method
   * @param {any} params
   */
  pushed(method, params) {
    if (method === "room.counted") this.#attendance.counted(params.count);
    else if (method === "room.joined") this.#attendance.noticed(params.uid, true);
    else if (method === "room.left") this.#attendance.noticed(params.uid, false);
  }

  /** Asks to be let in; after an earlier stay, with the cursor of then. */
  #enter() {
    // After that the router says `connected` again.
    if (this.#session.router.isLeaving(this.#name)) return;
    const { cursor } = this.#stream;
    const stay = this.#stay;
    const params = { room: this.#name, after: cursor ?? undefined };
    this.#session.request("room.join", params, (error, result) => {
      if (stay !== this.#stay) return;
      if (error) {
        // A lost connection is followed by another, which comes here again.
        if (error.name === "connection_lost") return;
        const isImpatient = !this.#isPatient && !this.#wasIn && error.name.endsWith("too_often");
        if (error.retryable && !isImpatient) this.#again(error);
        else this.#refused(error);
        return;
      }
      this.#backoff.reset();
      this.#attendance.counted(result.member_count);
      if (cursor) {
        this.#stream.resume(result);
      } else {
        this.attributes.replace(result);
        this.#stream.open(result);
      }
      if (stay === this.#stay) this.#entered();
    });
  }

  /** @param {RtmError} error that passes */
  #again(error) {
    const delayMs = this.#backoff.next(error.retryAfterMs);
    this.#retryTimer = this.#session.runtime.setTimeout(() => this.#enter(), delayMs);
  }

  #entered() {
    this.#isIn = true;
    this.#wasIn = true;
    this.#joining?.resolve();
    this.#joining = null;
    this.#outbox.open();
  }

  /** What the gap left of messages is told: now the rest of it. */
  #caughtUp() {
    const stay = this.#stay;
    this.attributes.follow();
    if (stay === this.#stay) this.#attendance.follow();
    this.#session.router.caughtUp(this.#stream);
  }

  /** @param {Entry} entry */
  #deliver(entry) {
    if (isMessage(entry.event)) {
      const { sender, message_id: messageId, seq, ts } = entry;
      this.emit("message", entry, sender === this.#session.uid && this.#outbox.seen(messageId, { seq, ts }));
    } else if (entry.event === "room.attributes_changed") {
      this.attributes.received(entry);
    }
  }

  /** Being let in takes too long: if it happens after all, it is not wanted any more. */
  #gaveUp() {
    this.#refused(new TimeoutError("room.join"));
    this.#session.request("room.leave", { room: this.#name }, () => {});
  }

  /** @param {RtmError} error the server does not let us in */
  #refused(error) {
    const wasIn = this.#wasIn;
    this.#forget(error);
    if (wasIn) this.emit("removed", error);
  }

  /** @param {RtmError} error for who waits */
  #forget(error) {
    this.#stay += 1;
    this.#isIn = false;
    this.#wasIn = false;
    this.attributes.reset();
    this.#attendance.reset();
    this.#session.runtime.clearTimeout(this.#retryTimer);
    this.#session.router.removeRoom(this.#name, this);
    this.#session.router.removeStream(this.#stream);
    this.#stream.close();
    this.#joining?.reject(error);
    this.#joining = null;
    this.#outbox.fail(error);
  }
}
