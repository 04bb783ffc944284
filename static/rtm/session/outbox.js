/**
 * What one sender has to say in one room, until the server has it: sent in order, several under way at once,
 * sent again under the same message id after a lost connection or a passing failure. The server answers a
 * repeated id as it did the first time, so nothing arrives twice. Each names the one that is under way before it:
 * when that is refused, the server refuses this one too, so that they stand in the room in the order of sending.
 */

import { Backoff } from "../connection/backoff.js";
import { RtmError, TimeoutError } from "../connection/errors.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {import("../connection/protocol.js").Message} Message */
/** @typedef {{seq: number, ts: number}} Receipt where the message stands in its room, and since when (ms) */

/**
 * @typedef {object} Item
 * @property {string} messageId
 * @property {Message} message
 * @property {boolean} isHistorical
 * @property {boolean} isPatient whether it waits when messages are sent too often, or is given up
 * @property {boolean} isUnderWay
 * @property {boolean} wasSent it may be in the room, whatever we know
 * @property {unknown} timer
 * @property {(receipt: Receipt) => void} resolve
 * @property {(error: RtmError) => void} reject
 */

/**
 * @typedef {object} Delivery how a message is sent
 * @property {number} [timeoutMs] after which it is given up; without it, it waits for ever
 * @property {boolean} [historical] the project's servers can find it
 * @property {boolean} [patient] false: given up with "too_often" when the rate is spent; else it waits
 */

/** Messages under way at once. */
const WINDOW = 16;
/** Messages that wait at once; more are refused with "too_often". */
const LIMIT = 1000;

export class Outbox {
  #runtime;
  #send;
  #backoff;
  /** @type {Map<string, Item>} in the order of sending */
  #items = new Map();
  #isOpen = false;
  #underWay = 0;
  /** @type {string | null} the last one that was sent, while any are under way */
  #last = null;
  /** Something was refused: all answers are awaited, then it starts again with the oldest. */
  #isRefused = false;
  /** @type {RtmError | null} the refusal that the others followed */
  #refusal = null;
  /** @type {Set<string>} ids of messages that are settled here and have not been seen in the room */
  #unseen = new Set();
  /** @type {unknown} runs while a failure is waited out */
  #pause = null;
  /** Counts the lives of the way to the room: an answer to an earlier one frees no place in this one. */
  #life = 0;

  /**
   * @param {Runtime} runtime
   * @param {(item: Item, follows: string | null, settle: Settle) => void} send
   */
  constructor(runtime, send) {
    this.#runtime = runtime;
    this.#send = send;
    this.#backoff = new Backoff(runtime);
  }

  /**
   * @param {string} messageId
   * @param {Message} message
   * @param {Delivery} [delivery]
   * @returns {Promise<Receipt>} rejects when the server refuses it for good, with "timeout", "discarded", or
   *   "duplicate" while a message with this id is waiting
   */
  add(messageId, message, { timeoutMs, historical = false, patient = true } = {}) {
    if (this.#items.has(messageId)) {
      return Promise.reject(new RtmError("duplicate"));
    }
    if (this.#items.size >= LIMIT) return Promise.reject(new RtmError("too_often", "too many", true));
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? null
          : this.#runtime.setTimeout(() => this.#reject(messageId, new TimeoutError("room.send")), timeoutMs);
      this.#items.set(messageId, {
        messageId,
        message,
        isHistorical: historical,
        isPatient: patient,
        isUnderWay: false,
        wasSent: false,
        timer,
        resolve,
        reject,
      });
      this.#pump();
    });
  }

  /** @param {string} messageId not to be sent again; if it is under way it may still arrive */
  discard(messageId) {
    this.#reject(messageId, new RtmError("discarded"));
  }

  /** The room can be sent to: starts again with the oldest. */
  open() {
    this.close();
    this.#isOpen = true;
    this.#pump();
  }

  /** The room can not be sent to: everything waits, also what was under way. */
  close() {
    this.#isOpen = false;
    this.#life += 1;
    this.#underWay = 0;
    this.#last = null;
    this.#isRefused = false;
    this.#refusal = null;
    this.#runtime.clearTimeout(this.#pause);
    this.#pause = null;
    for (const item of this.#items.values()) item.isUnderWay = false;
  }

  /** @param {RtmError} error for everything that waits: nothing will be sent any more */
  fail(error) {
    this.close();
    for (const messageId of [...this.#items.keys()]) this.#reject(messageId, error);
  }

  /**
   * An own message is seen in the room, perhaps before it is acknowledged.
   * @param {string} messageId
   * @param {Receipt} receipt
   * @returns {boolean} whether it was sent from here
   */
  seen(messageId, receipt) {
    const item = this.#items.get(messageId);
    if (item) this.#confirm(messageId, receipt);
    return this.#unseen.delete(messageId) || item !== undefined;
  }

  #pump() {
    if (!this.#isOpen || this.#isRefused || this.#pause !== null) return;
    if (this.#underWay === 0) this.#last = null;
    for (const item of this.#items.values()) {
      if (this.#underWay >= WINDOW) return;
      if (item.isUnderWay) continue;
      item.isUnderWay = true;
      item.wasSent = true;
      this.#underWay += 1;
      const life = this.#life;
      const follows = this.#last;
      this.#last = item.messageId;
      this.#send(item, follows, (error, receipt) => {
        if (life === this.#life) this.#settled(item, error, receipt);
      });
      // The connection may be gone, and all of this with it.
      if (life !== this.#life) return;
    }
  }

  /**
   * @param {Item} item
   * @param {RtmError | null} error
   * @param {Receipt} receipt
   */
  #settled(item, error, receipt) {
    this.#underWay -= 1;
    item.isUnderWay = false;
    if (!error) {
      this.#backoff.reset();
      this.#confirm(item.messageId, { seq: receipt.seq, ts: receipt.ts });
    } else if (error.retryable) {
      this.#refused(item, error);
    } else {
      this.#reject(item.messageId, error);
      this.#pump();
    }
    if (this.#isRefused && this.#underWay === 0) {
      this.#isRefused = false;
      this.#refusal = null;
      this.#pump();
    }
  }

  /**
   * What follows waits too.
   * @param {Item} item
   * @param {RtmError} error that passes
   */
  #refused(item, error) {
    this.#isRefused = true;
    const isFollower = error.name === "out_of_turn";
    if (!isFollower) this.#refusal = error;
    if (!item.isPatient && this.#refusal?.name === "too_often") this.#reject(item.messageId, this.#refusal);
    if (isFollower) return; // the refusal before it says how long to wait
    this.#pause ??= this.#runtime.setTimeout(() => {
      this.#pause = null;
      this.#pump();
    }, this.#backoff.next(error.retryAfterMs));
  }

  /**
   * @param {string} messageId
   * @param {Receipt} receipt
   */
  #confirm(messageId, receipt) {
    this.#take(messageId)?.resolve(receipt);
    this.#pump();
  }

  /**
   * @param {string} messageId
   * @param {RtmError} error
   */
  #reject(messageId, error) {
    this.#take(messageId)?.reject(error);
  }

  /** @param {string} messageId */
  #take(messageId) {
    const item = this.#items.get(messageId);
    if (!item) return null;
    this.#items.delete(messageId);
    this.#runtime.clearTimeout(item.timer);
    if (item.wasSent) this.#expect(messageId);
    return item;
  }

  /** @param {string} messageId of a message that will be seen in the room, or never */
  #expect(messageId) {
    this.#unseen.add(messageId);
    if (this.#unseen.size <= LIMIT) return;
    for (const oldest of this.#unseen) {
      this.#unseen.delete(oldest);
      break;
    }
  }
}
