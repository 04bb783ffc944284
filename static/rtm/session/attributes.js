/**
 * The attributes of a room, kept current by the room's entries. What a gap left of changes is told as one, when the
 * messages of the gap are told.
 */

/** @typedef {import("../connection/protocol.js").Entry} Entry */
/** @typedef {Pick<Entry, "sender" | "body">} Change what is not seen has no `sender`, nor what it set and deleted */
/** @typedef {{value: string, updated_by: string, updated_at: number}} Attribute `updated_at` in milliseconds */

export class Attributes {
  #session;
  #room;
  #tell;
  /** @type {Map<string, Attribute>} */
  #values = new Map();
  #revision = 0;
  /** Whether the room's messages are told up to now. */
  #isFollowing = false;
  /** @type {Entry | null} the newest change in the gap that asked that members be told */
  #missed = null;
  /** Whether changes may have been lost in the gap. */
  #isDoubtful = false;
  /** Counts the stays in the room: an answer to an earlier one is void. */
  #life = 0;

  /**
   * @param {import("./session.js").Session} session
   * @param {string} room
   * @param {(change: Change) => void} tell
   */
  constructor(session, room, tell) {
    this.#session = session;
    this.#room = room;
    this.#tell = tell;
  }

  /** @returns {Record<string, Attribute>} */
  get all() {
    return Object.fromEntries(this.#values);
  }

  /** Grows with each change; for compare-and-set. */
  get revision() {
    return this.#revision;
  }

  /** @param {{attributes: Record<string, Attribute>, revision: number}} snapshot */
  replace({ attributes, revision }) {
    this.#values = new Map(Object.entries(attributes));
    this.#revision = revision;
  }

  /** @param {Entry} entry `room.attributes_changed`; one that a snapshot had already changes nothing */
  received(entry) {
    const { sender, ts, body } = entry;
    if (body.revision <= this.#revision) return;
    this.#revision = body.revision;
    for (const key of body.deleted) this.#values.delete(key);
    for (const [key, value] of Object.entries(body.set)) {
      this.#values.set(key, { value, updated_by: sender, updated_at: ts });
    }
    if (this.#isFollowing) this.#tell(entry);
    else if (body.notify) this.#missed = entry;
  }

  /** There were changes that will not come. */
  doubt() {
    this.#isDoubtful = true;
  }

  /** The messages are told: now the changes are. */
  follow() {
    const change = this.#missed;
    const life = this.#life;
    this.#isFollowing = true;
    this.#missed = null;
    if (change) this.#tell(change);
    if (this.#isDoubtful && life === this.#life) this.#read();
  }

  /** The connection is gone. */
  pause() {
    this.#isFollowing = false;
  }

  /** One is no member any more. */
  reset() {
    this.#life += 1;
    this.#isFollowing = false;
    this.#missed = null;
    this.#isDoubtful = false;
  }

  /** Looks what they are now. */
  #read() {
    const life = this.#life;
    this.#session.restore("room.get_attributes", { room: this.#room }, (error, result) => {
      if (life !== this.#life || error) return;
      this.#isDoubtful = false;
      if (result.revision === this.#revision) return;
      this.replace(result);
      this.#tell({ sender: "", body: { revision: result.revision, notify: true } });
    });
  }
}
