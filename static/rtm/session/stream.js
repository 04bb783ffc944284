/**
 * One stream as this client has seen it: a cursor that only entries in order move. What arrives twice is
 * dropped, what arrives past a gap is held until the gap was read; nothing is ever delivered out of order.
 * An acknowledgement of an own message carries a `seq` too, and never moves the cursor: only entries do.
 */

import { Backoff } from "../connection/backoff.js";

/** @typedef {import("../connection/protocol.js").Entry} Entry */
/** @typedef {import("../connection/protocol.js").Cursor} Cursor */
/** @typedef {import("../connection/runtime.js").Runtime} Runtime */

/**
 * @typedef {object} Page what the server knows after a cursor, or the first part of it
 * @property {boolean} [recovered] false: the gap can not be told any more, the stream goes on at `head` or at
 *   the first of the entries
 * @property {string} epoch
 * @property {number} head
 * @property {boolean} live false: more pages follow, and no entry is pushed before they were read
 * @property {Entry[]} [entries] ascending
 */

/**
 * @typedef {object} StreamOptions
 * @property {string} name
 * @property {Runtime} runtime
 * @property {(after: number, settle: import("../connection/connection.js").Settle) => void} read asks for a `Page`
 * @property {(entry: Entry) => void} deliver called for each entry once, in order
 * @property {(gap: {from: number, to: number}) => void} lost entries after `from` up to `to` will not come
 */

/** Entries kept behind a gap. Past that they are dropped: the next read brings them. */
const HELD_LIMIT = 1000;

export class Stream {
  #options;
  #retry;
  #seq = 0;
  #epoch = "";
  #isOpen = false;
  #isReading = false;
  /** Counts the lives of the connection below: the answer to a read of an earlier one is void. */
  #life = 0;
  /** @type {unknown} */
  #retryTimer = null;
  /** @type {Map<number, Entry>} by seq */
  #held = new Map();
  /** The highest seq that was pushed: while the cursor is below it, something is missing. */
  #pushed = 0;

  /** @param {StreamOptions} options */
  constructor(options) {
    this.#options = options;
    this.#retry = new Backoff(options.runtime);
  }

  get name() {
    return this.#options.name;
  }

  /** @returns {Cursor | null} null before the stream was first opened */
  get cursor() {
    return this.#isOpen ? { seq: this.#seq, epoch: this.#epoch } : null;
  }

  /**
   * Starts at the head: what was before is history.
   * @param {{epoch: string, head: number}} at
   */
  open({ epoch, head }) {
    this.suspend();
    this.#isOpen = true;
    this.#epoch = epoch;
    this.#seq = head;
  }

  /**
   * Goes on after a gap, with the server's answer about it.
   * @param {Page} page
   */
  resume(page) {
    this.suspend();
    this.#takePage(page);
  }

  /** Forgets where it was: what is pushed now is not for us. */
  close() {
    this.suspend();
    this.#isOpen = false;
  }

  /** The connection is gone: what it was to bring does not come. The cursor stays. */
  suspend() {
    this.#life += 1;
    this.#isReading = false;
    this.#held.clear();
    this.#pushed = 0;
    this.#options.runtime.clearTimeout(this.#retryTimer);
  }

  /** @param {Entry} entry just pushed */
  push(entry) {
    if (!this.#isOpen || entry.seq <= this.#seq) return;
    this.#pushed = Math.max(this.#pushed, entry.seq);
    if (entry.seq > this.#seq + 1) {
      if (this.#held.size < HELD_LIMIT) this.#held.set(entry.seq, entry);
      this.#read();
    } else {
      this.#deliver(entry);
      this.#deliverHeld();
      // A stream has no epoch before its first entry, and a push does not tell: a page does.
      if (this.#epoch === "" && this.#isOpen) this.#read();
    }
  }

  /** @param {Entry} entry */
  #deliver(entry) {
    this.#seq = entry.seq;
    this.#options.deliver(entry);
  }

  /** Asks for what follows the cursor, unless that is under way. */
  #read() {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#options.runtime.clearTimeout(this.#retryTimer);
    const life = this.#life;
    this.#options.read(this.#seq, (error, page) => {
      if (life !== this.#life) return;
      this.#isReading = false;
      if (!error) this.#takePage(page);
      else if (error.retryable) this.#readLater();
    });
  }

  #readLater() {
    this.#retryTimer = this.#options.runtime.setTimeout(() => this.#read(), this.#retry.next());
  }

  /**
   * A page is the server's word on what follows the cursor: its entries are delivered as they stand, also
   * where numbers are missing among them (a withdrawn entry).
   * @param {Page} page
   */
  #takePage({ recovered = true, epoch, head, live, entries = [] }) {
    const from = this.#seq;
    const life = this.#life;
    this.#isOpen = true;
    const isOther = this.#epoch !== "" && epoch !== "" && epoch !== this.#epoch;
    if (epoch !== "") this.#epoch = epoch;
    if (!recovered || isOther) {
      this.#seq = entries.length > 0 ? entries[0].seq - 1 : head;
      this.#held.clear();
      this.#pushed = 0;
      this.#options.lost({ from, to: this.#seq });
    }
    for (const entry of entries) {
      // A listener may have left the room, or logged out.
      if (life !== this.#life) return;
      if (entry.seq > this.#seq) this.#deliver(entry);
    }
    if (live) this.#deliverHeld();
    if (life !== this.#life || (live && this.#seq >= this.#pushed)) return;
    if (this.#seq === from) {
      this.#readLater();
    } else {
      this.#retry.reset();
      this.#read();
    }
  }

  /** Delivers what was held behind the gap, as far as it follows on. */
  #deliverHeld() {
    const life = this.#life;
    for (let entry = this.#held.get(this.#seq + 1); entry; entry = this.#held.get(this.#seq + 1)) {
      this.#deliver(entry);
      if (life !== this.#life) return;
    }
    for (const seq of [...this.#held.keys()]) if (seq <= this.#seq) this.#held.delete(seq);
  }
}
