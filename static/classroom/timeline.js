/**
 * What stands in the chat, in order: messages by their place in the room's log, notices where they happened,
 * and at the end what this person has written and the room does not have yet. No page, no network.
 */

/** @typedef {import("../rtm/index.js").Entry} Entry */

/** @typedef {{media: string, name: string, size: number, isImage: boolean}} FileShown `size`: bytes */

/**
 * @typedef {object} ChatMessage
 * @property {"message"} kind
 * @property {string} key the message id
 * @property {number} seq its place; Infinity while the room does not have it
 * @property {string} sender uid
 * @property {string} text
 * @property {number} dataBytes of a message that is data, 0 of a text
 * @property {FileShown | null} file of a message that has one
 * @property {number} ts milliseconds
 * @property {boolean} isOwn
 * @property {"sent" | "pending" | "failed"} status
 */

/**
 * @typedef {object} Notice
 * @property {"notice"} kind
 * @property {string} key
 * @property {number} seq of the message it came after
 * @property {"joined" | "left"} what
 * @property {string} uid
 * @property {number} ts milliseconds
 */

/** @typedef {ChatMessage | Notice} Item */

/** Messages kept; older ones can be loaded again. */
const KEPT = 600;
const KEPT_AFTER_TRIM = 400;

export class Timeline {
  /** @type {Item[]} in order */
  #items = [];
  /** @type {Map<string, ChatMessage>} by sender and message id */
  #known = new Map();
  #notices = 0;
  /** Whether the history has more before the first message. */
  hasEarlier = false;

  /** @returns {readonly Item[]} */
  get items() {
    return this.#items;
  }

  /** The lowest seq that is here; Infinity when nothing is. */
  get firstSeq() {
    return this.#items.find((item) => item.kind === "message")?.seq ?? Infinity;
  }

  /** @returns {ChatMessage[]} own ones that the room does not have, in the order of writing */
  get unsent() {
    return /** @type {ChatMessage[]} */ (this.#items.filter((item) => item.seq === Infinity));
  }

  /**
   * @param {Entry} entry `room.sent`
   * @param {boolean} isOwn
   * @returns {ChatMessage | null} null when it was here before
   */
  add(entry, isOwn) {
    const known = this.#known.get(idOf(entry.sender, entry.message_id));
    if (known) {
      if (known.seq === Infinity) this.#place(known, entry.seq, entry.ts);
      return null;
    }
    const { text, dataBytes, file } = contentOf(entry.body);
    return this.#insert({
      kind: "message",
      key: entry.message_id,
      seq: entry.seq,
      sender: entry.sender,
      text,
      dataBytes,
      file,
      ts: entry.ts,
      isOwn,
      status: "sent",
    });
  }

  /**
   * @param {{sender: string, messageId: string, text: string, ts: number}} written by this person just now
   * @returns {ChatMessage}
   */
  write({ sender, messageId, text, ts }) {
    const known = this.#known.get(idOf(sender, messageId));
    if (known) return known;
    return this.#insert({
      kind: "message",
      key: messageId,
      seq: Infinity,
      sender,
      text,
      dataBytes: 0,
      file: null,
      ts,
      isOwn: true,
      status: "pending",
    });
  }

  /**
   * The room has it.
   * @param {ChatMessage} message
   * @param {{seq: number, ts: number}} receipt
   */
  confirm(message, { seq, ts }) {
    if (message.seq === Infinity && this.#items.includes(message)) this.#place(message, seq, ts);
  }

  /** @param {ChatMessage} message the room does not have */
  remove(message) {
    this.#items = this.#items.filter((item) => item !== message);
    this.#known.delete(idOf(message.sender, message.key));
  }

  /**
   * @param {"joined" | "left"} what
   * @param {string} uid
   * @param {number} ts milliseconds
   */
  notice(what, uid, ts) {
    const placed = this.#items.filter(({ seq }) => seq !== Infinity);
    const seq = placed.length > 0 ? placed[placed.length - 1].seq : 0;
    this.#insertItem({ kind: "notice", key: `notice-${this.#notices++}`, seq, what, uid, ts });
  }

  /** Forgets everything but what the room does not have. */
  clear() {
    const unsent = this.unsent;
    this.#items = [...unsent];
    this.#known = new Map(unsent.map((message) => [idOf(message.sender, message.key), message]));
    this.hasEarlier = false;
  }

  /** Forgets the oldest, when there are many. */
  trim() {
    if (this.#items.length <= KEPT) return;
    const gone = this.#items.splice(0, this.#items.length - KEPT_AFTER_TRIM);
    for (const item of gone) if (item.kind === "message") this.#known.delete(idOf(item.sender, item.key));
    this.hasEarlier = true;
  }

  /**
   * @param {ChatMessage} message
   * @param {number} seq
   * @param {number} ts
   */
  #place(message, seq, ts) {
    this.#items = this.#items.filter((item) => item !== message);
    Object.assign(message, { seq, ts, status: "sent" });
    this.#insertItem(message);
  }

  /** @param {ChatMessage} message */
  #insert(message) {
    this.#known.set(idOf(message.sender, message.key), message);
    this.#insertItem(message);
    return message;
  }

  /** Behind what has its place or a lower one; nearly always at the end. @param {Item} item */
  #insertItem(item) {
    let index = this.#items.length;
    while (index > 0 && this.#items[index - 1].seq > item.seq) index -= 1;
    this.#items.splice(index, 0, item);
  }
}

/**
 * @param {string} sender
 * @param {string} messageId unique for its sender only
 */
function idOf(sender, messageId) {
  return `${messageId} ${sender}`;
}

/** @param {any} body of a message @returns {{text: string, dataBytes: number, file: FileShown | null}} */
function contentOf(body) {
  const description = String(body.description ?? "");
  if (body.type === "FILE" || body.type === "IMAGE") {
    const { media, name, size, type } = body;
    return { text: description, dataBytes: 0, file: { media, name, size, isImage: type === "IMAGE" } };
  }
  if (body.type !== "RAW") return { text: String(body.text ?? ""), dataBytes: 0, file: null };
  const raw = String(body.raw ?? "").replace(/=+$/, "");
  return { text: description, dataBytes: Math.floor((raw.length * 3) / 4), file: null };
}
