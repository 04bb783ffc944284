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
 * @property {() => import("../connection/pace.js").Pace | null} pace of the connection of this moment
 * @property {boolean} [isSparse] numbers may be missing in what is pushed: order alone counts
 * @property {(entry: Entry) => void} deliver called for each entry once, in order
 * @property {(gap: {from: number, to: number}) => void} lost entries after `from` up to `to` will not come
 * @property {() => void} live everything missed was delivered
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
  #isLive = false;
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

  /** Whether its cursor is the server's affair, as that of an inbox. */
  get isSparse() {
    return this.#options.isSparse === true;
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
    this.#isLive = true;
    this.#options.live();
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
    this.#isLive = false;
    this.#held.clear();
    this.#pushed = 0;
    this.#options.runtime.clearTimeout(this.#retryTimer);
  }

  /** @param {Entry} entry just pushed */
  push(entry) {
    if (!this.#isOpen || entry.seq <= this.#seq) return;
    const isNext = this.isSparse ? this.#isLive : entry.seq === this.#seq + 1;
    if (!isNext) {
      this.#pushed = Math.max(this.#pushed, entry.seq);
      // Of an inbox the pages that are still missing bring it.
      if (this.isSparse) return;
      if (this.#held.size < HELD_LIMIT) this.#held.set(entry.seq, entry);
      this.#read();
    } else {
      this.#deliver(entry);
      if (this.#held.size > 0) this.#deliverHeld(() => {});
    }
    // A stream has no epoch before its first entry, and a push does not tell: a page does.
    if (this.#epoch === "" && this.#isOpen) this.#read();
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
      if (life !== this.#life) return;
    }
    this.#deliverAll(entries, 0, () => {
      if (live) this.#deliverHeld(() => this.#pageTaken(true, from, head));
      else this.#pageTaken(false, from, head);
    });
  }

  /**
   * @param {boolean} live
   * @param {number} from the seq before the page
   * @param {number} head
   */
  #pageTaken(live, from, head) {
    if (live && (this.isSparse ? head : this.#seq) >= this.#pushed) {
      this.#retry.reset();
      const wasLive = this.#isLive;
      this.#isLive = true;
      if (!wasLive) this.#options.live();
    } else if (this.#seq === from) {
      this.#readLater();
    } else {
      this.#retry.reset();
      this.#read();
    }
  }

  /**
   * Delivers what was held behind the gap, as far as it follows on.
   * @param {() => void} done
   */
  #deliverHeld(done) {
    const entries = [];
    for (let seq = this.#seq + 1, entry; (entry = this.#held.get(seq)); seq++) entries.push(entry);
    for (const seq of this.#held.keys()) if (seq <= this.#seq + entries.length) this.#held.delete(seq);
    this.#deliverAll(entries, 0, done);
  }

  /**
   * As long as the time allows, the rest in another slice; what is behind it on the connection waits.
   * @param {Entry[]} entries
   * @param {number} first
   * @param {() => void} done not called when a listener has left the room or logged out meanwhile
   */
  #deliverAll(entries, first, done) {
    const life = this.#life;
    const pace = this.#options.pace();
    for (let index = first; index < entries.length; index++) {
      if (pace?.isOver) {
        pace.detour(() => {
          if (life === this.#life) this.#deliverAll(entries, index, done);
        });
        return;
      }
      if (entries[index].seq > this.#seq) this.#deliver(entries[index]);
      if (life !== this.#life) return;
    }
    done();
  }
}

/**
 * @param {import("./session.js").Session} session
 * @param {string} name
 * @param {Pick<StreamOptions, "isSparse" | "deliver" | "lost" | "live">} options
 */
export function streamOf(session, name, options) {
  return new Stream({
    name,
    runtime: session.runtime,
    pace: () => session.pace,
    read: (after, settle) => session.request("stream.read", { stream: name, after }, settle),
    ...options,
  });
}
