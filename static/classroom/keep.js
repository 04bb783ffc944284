/** What the browser keeps for the page. Where it keeps nothing (private windows, a full disk) memory does. */

/** @typedef {{getItem: (key: string) => string | null, setItem: (key: string, value: string) => void, removeItem: (key: string) => void}} Storage */

export class Keep {
  #storage;
  /** @type {Map<string, string>} */
  #memory = new Map();

  /** @param {() => Storage} storage asking for it may throw */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} key
   * @returns {any} null where there is nothing, or nothing readable
   */
  get(key) {
    try {
      return JSON.parse(this.#storage().getItem(PREFIX + key) ?? this.#memory.get(key) ?? "null");
    } catch {
      return JSON.parse(this.#memory.get(key) ?? "null");
    }
  }

  /**
   * @param {string} key
   * @param {any} value null: forget it
   */
  set(key, value) {
    this.#memory.set(key, JSON.stringify(value));
    try {
      if (value === null) this.#storage().removeItem(PREFIX + key);
      else this.#storage().setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // Memory has it.
    }
  }
}

const PREFIX = "rostrum.";
