/**
 * A small typed event emitter. A listener that throws does not keep the others from running: its error is
 * reported and the next listener is called.
 */

/** @type {(error: unknown) => void} */
export const reportError =
  typeof globalThis.reportError === "function"
    ? (error) => globalThis.reportError(error)
    : (error) => {
        queueMicrotask(() => {
          throw error;
        });
      };

/** @template {{[name: string]: any[]}} Events */
export class Emitter {
  /** @type {Map<string, {listener: (...args: any[]) => void, once: boolean}[]>} */
  #listeners = new Map();
  #report;

  /** @param {(error: unknown) => void} [report] what to do with the error of a listener */
  constructor(report = reportError) {
    this.#report = report;
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener
   * @returns {this}
   */
  on(name, listener) {
    return this.#add(name, listener, false);
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener called for the next event only
   * @returns {this}
   */
  once(name, listener) {
    return this.#add(name, listener, true);
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener removed once, the newest registration first
   * @returns {this}
   */
  off(name, listener) {
    const known = this.#listeners.get(name) ?? [];
    const index = known.map((entry) => entry.listener).lastIndexOf(listener);
    if (index >= 0) this.#listeners.set(name, known.filter((_, at) => at !== index));
    return this;
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name]} args
   * @returns {boolean} whether anybody listened
   */
  emit(name, ...args) {
    const known = this.#listeners.get(name);
    if (!known || known.length === 0) return false;
    for (const entry of known) {
      if (entry.once) this.off(name, entry.listener);
      try {
        entry.listener(...args);
      } catch (error) {
        this.#report(error);
      }
    }
    return true;
  }

  /**
   * @param {string} name
   * @param {(...args: any[]) => void} listener
   * @param {boolean} once
   */
  #add(name, listener, once) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, once }]);
    return this;
  }
}
