/** The user's own attributes, which the server forgets with the session: a new one gets them back. */

/** @typedef {Record<string, string>} Values by key */

const TIMEOUT_MS = 5000;

export class UserAttributes {
  #session;
  /** @type {Map<string, string>} what the server has taken */
  #own = new Map();

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** @param {Values} attributes instead of all there are @returns {Promise<void>} */
  set(attributes) {
    return this.#change("user.set_attributes", { attributes }, () => {
      this.#own = new Map(Object.entries(attributes));
    });
  }

  /** @param {Values} attributes added, or put in place of those with the same keys @returns {Promise<void>} */
  update(attributes) {
    return this.#change("user.update_attributes", { attributes }, () => {
      for (const [key, value] of Object.entries(attributes)) this.#own.set(key, value);
    });
  }

  /** @param {string[]} keys @returns {Promise<void>} */
  remove(keys) {
    return this.#change("user.delete_attributes", { keys }, () => {
      for (const key of keys) this.#own.delete(key);
    });
  }

  /** @returns {Promise<void>} */
  clear() {
    return this.#change("user.clear_attributes", {}, () => this.#own.clear());
  }

  /**
   * @param {string} uid of a user who is online, or oneself
   * @param {string[]} [keys] only these, where they exist
   * @returns {Promise<Values>}
   */
  async get(uid, keys) {
    return (await this.#session.call("user.get_attributes", { uid, keys }, TIMEOUT_MS)).attributes;
  }

  /** @param {boolean} isResumed whether the server still has them */
  connected(isResumed) {
    if (isResumed || this.#own.size === 0) return;
    this.#session.restore("user.set_attributes", { attributes: Object.fromEntries(this.#own) }, () => {});
  }

  /** The session is over. */
  reset() {
    this.#own.clear();
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {() => void} apply
   */
  async #change(method, params, apply) {
    await this.#session.call(method, params, TIMEOUT_MS, { apply });
  }
}
