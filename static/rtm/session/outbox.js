/**
 * What one sender has to say in one room, until the server has it: sent in order, several under way at once,
 * sent again under the same message id after a lost connection or a passing failure. The server answers a
 * repeated id as it did the first time, so nothing arrives twice. Each names the one that is under way before it:
 * when that is refused, the server refuses this one too, so that they stand in the room in the order of sending.
 */

import { Backoff } from "../connection/backoff.js";
import { RpcError, RtmError, TimeoutError } from "../connection/errors.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {import("../connection/protocol.js").Message} Message */
/** @typedef {{seq: number, ts: number}} Receipt where the message stands in its room, and since when (ms) */

/**
 * @typedef {object} Item
 * @property {string} messageId
 * @property {Message} message
 * @property {boolean} isUnderWay
 * @property {unknown} timer
 * @property {(receipt: Receipt) => void} resolve
 * @property {(error: RtmError) => void} reject
 */

/** Messages under way at once. */
const WINDOW = 16;

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
  /** @type {unknown} runs while a failure is waited out */
  #pause = null;
  /** Counts the lives of the way to the room: an answer to an earlier one frees no place in this one. */
  #life = 0;

  /**
   * @param {Runtime} runtime
   * @param {(messageId: string, message: Message, follows: string | null, settle: Settle) => void} send
   */
  constructor(runtime, send) {
    this.#runtime = runtime;
    this.#send = send;
    this.#backoff = new Backoff(runtime);
  }

  /**
   * @param {string} messageId
   * @param {Message} message
   * @param {number} [timeoutMs] after which it is given up; without it, it waits for ever
   * @returns {Promise<Receipt>} rejects when the server refuses it for good, with "timeout", "discarded", or
   *   "duplicate" while a message with this id is waiting
   */
  add(messageId, message, timeoutMs) {
    if (this.#items.has(messageId)) {
      return Promise.reject(new RtmError("duplicate", "a message with this id is on its way", false));
    }
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? null
          : this.#runtime.setTimeout(() => this.#reject(messageId, new TimeoutError("room.send")), timeoutMs);
      this.#items.set(messageId, { messageId, message, isUnderWay: false, timer, resolve, reject });
      this.#pump();
    });
  }

  /** @param {string} messageId not to be sent again; if it is under way it may still arrive */
  discard(messageId) {
    this.#reject(messageId, new RtmError("discarded", "the message was discarded", false));
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
   * The message is in the room: acknowledged, or seen among its entries before the acknowledgement came.
   * @param {string} messageId
   * @param {Receipt} receipt
   */
  confirm(messageId, receipt) {
    this.#take(messageId)?.resolve(receipt);
    this.#pump();
  }

  #pump() {
    if (!this.#isOpen || this.#isRefused || this.#pause !== null) return;
    if (this.#underWay === 0) this.#last = null;
    for (const item of this.#items.values()) {
      if (this.#underWay >= WINDOW) return;
      if (item.isUnderWay) continue;
      item.isUnderWay = true;
      this.#underWay += 1;
      const life = this.#life;
      const follows = this.#last;
      this.#last = item.messageId;
      this.#send(item.messageId, item.message, follows, (error, receipt) => {
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
      this.confirm(item.messageId, { seq: receipt.seq, ts: receipt.ts });
    } else if (error.retryable) {
      this.#refused(error);
    } else {
      this.#reject(item.messageId, error);
      this.#pump();
    }
    if (this.#isRefused && this.#underWay === 0) {
      this.#isRefused = false;
      this.#pump();
    }
  }

  /**
   * What follows waits too.
   * @param {RtmError} error that passes
   */
  #refused(error) {
    this.#isRefused = true;
    if (error.name === "out_of_turn") return; // the refusal before it says how long to wait
    const givenMs = error instanceof RpcError ? error.retryAfterMs || null : null;
    this.#pause ??= this.#runtime.setTimeout(() => {
      this.#pause = null;
      this.#pump();
    }, this.#backoff.next(givenMs));
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
    this.#items.delete(messageId);
    this.#runtime.clearTimeout(item?.timer);
    return item;
  }
}
