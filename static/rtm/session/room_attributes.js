/** The attributes of any room, joined or not. Each change has a message id, so that it can be made again. */

/** @typedef {Record<string, string>} Values by key */
/** @typedef {import("./attributes.js").Attribute} Attribute */

/**
 * @typedef {object} ChangeOptions
 * @property {boolean} [notify] members are told
 * @property {number} [revision] change only if the attributes still have it; else "revision_conflict"
 */

/** @typedef {Promise<{seq: number, revision: number}>} Changed where the change stands, the revision after it */

const TIMEOUT_MS = 5000;

export class RoomAttributes {
  #session;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** @param {string} room @param {Values} attributes instead of all @param {ChangeOptions} [options] @returns {Changed} */
  set(room, attributes, options) {
    return this.#change("set", { room, attributes }, options);
  }

  /** @param {string} room @param {Values} attributes @param {ChangeOptions} [options] @returns {Changed} */
  update(room, attributes, options) {
    return this.#change("update", { room, attributes }, options);
  }

  /** @param {string} room @param {string[]} keys @param {ChangeOptions} [options] @returns {Changed} */
  remove(room, keys, options) {
    return this.#change("delete", { room, keys }, options);
  }

  /** @param {string} room @param {ChangeOptions} [options] @returns {Changed} */
  clear(room, options) {
    return this.#change("clear", { room }, options);
  }

  /**
   * @param {string} room
   * @param {string[]} [keys] only these, where they exist
   * @returns {Promise<{attributes: Record<string, Attribute>, revision: number}>}
   */
  get(room, keys) {
    return this.#session.call("room.get_attributes", { room, keys }, TIMEOUT_MS);
  }

  /**
   * @param {string} verb
   * @param {object} params
   * @param {ChangeOptions} [options]
   */
  #change(verb, params, { notify, revision } = {}) {
    const all = {
      ...params,
      message_id: this.#session.makeId(),
      notify: notify || undefined,
      revision,
    };
    return this.#session.call(`room.${verb}_attributes`, all, TIMEOUT_MS);
  }
}
