/** The attributes of a room, kept current by the room's entries. */

/** @typedef {{value: string, updated_by: string, updated_at: number}} Attribute `updated_at` in milliseconds */

export class Attributes {
  /** @type {Map<string, Attribute>} */
  #values = new Map();
  #revision = 0;

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

  /**
   * @param {import("../connection/protocol.js").Entry} entry `room.attributes_changed`
   * @returns {boolean} false when a snapshot had the change already
   */
  apply({ sender, ts, body }) {
    if (body.revision <= this.#revision) return false;
    this.#revision = body.revision;
    for (const key of body.deleted) this.#values.delete(key);
    for (const [key, value] of Object.entries(body.set)) {
      this.#values.set(key, { value: String(value), updated_by: sender, updated_at: ts });
    }
    return true;
  }
}
