/** What the fake server keeps: streams of entries, and pages of them. */

/** @typedef {import("../../../static/rtm/connection/protocol.js").Entry} Entry */

/** @param {number} code @param {string} name @param {boolean} [retryable] @param {object} [more] */
export function rpcError(code, name, retryable = false, more = {}) {
  return { error: { code, message: name, data: { name, retryable, ...more } } };
}

export class FakeStream {
  epoch = "";
  head = 0;
  /** @type {Entry[]} */
  entries = [];
  /** Of an inbox: up to where it was handed to the user. */
  acked = 0;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** @param {string} sender @param {string} messageId */
  find(sender, messageId) {
    return this.entries.find((entry) => entry.sender === sender && entry.message_id === messageId);
  }

  /** @param {Omit<Entry, "stream" | "seq">} what @returns {Entry} */
  append(what) {
    this.epoch ||= "e1";
    const entry = { stream: this.name, seq: ++this.head, ...what };
    this.entries.push(entry);
    return entry;
  }

  /** It will not be delivered any more. @param {number} seq */
  withdraw(seq) {
    this.entries = this.entries.filter((entry) => entry.seq !== seq);
  }

  /** Back from a backup. @param {string} epoch */
  restore(epoch) {
    this.epoch = epoch;
    this.entries = [];
    this.head = 0;
    this.acked = 0;
  }

  /** @param {{seq: number, epoch?: string}} cursor @param {number} size at most so many entries */
  page({ seq, epoch = "" }, size) {
    const { head } = this;
    if (epoch && epoch !== this.epoch) return { recovered: false, epoch: this.epoch, head, live: true, entries: [] };
    const missed = this.entries.filter((entry) => entry.seq > seq);
    const entries = missed.slice(0, size);
    return { recovered: true, epoch: this.epoch, head, live: entries.length === missed.length, entries };
  }
}

export class FakeRoom extends FakeStream {
  /** @type {Set<string>} uids */
  members = new Set();
  /** @type {Record<string, any>} */
  attributes = {};
  revision = 0;
}
