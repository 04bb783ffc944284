/**
 * A small typed event emitter. A listener that throws does not keep the others from running: its error is
 * reported and the next listener is called.
 */

/** @param {unknown} error told as one that nobody caught */
export function reportError(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** @typedef {{listener: (...args: any[]) => void, once: boolean}} Registration */

/** @template {{[name: string]: any[]}} Events */
export class Emitter {
  /** @type {Map<string, Registration[]>} lists that are replaced, never changed: an emit goes on with the one it found */
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
    const known = this.registrations(name);
    this.#drop(name, known[known.map((entry) => entry.listener).lastIndexOf(listener)]);
    return this;
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name]} args
   * @returns {boolean} whether anybody listened
   */
  emit(name, ...args) {
    const known = this.registrations(name);
    for (const entry of known) {
      if (entry.once) this.#drop(name, entry);
      try {
        entry.listener.apply(this, args);
      } catch (error) {
        this.#report(error);
      }
    }
    return known.length > 0;
  }

  /**
   * @param {string} name
   * @returns {readonly Registration[]} in the order of registration
   */
  registrations(name) {
    return this.#listeners.get(name) ?? [];
  }

  /** @param {string} [name] absent: the listeners of all events */
  forget(name) {
    if (name === undefined) this.#listeners.clear();
    else this.#listeners.delete(name);
  }

  /**
   * @param {string} name
   * @param {Registration | undefined} entry
   */
  #drop(name, entry) {
    if (entry) this.#listeners.set(name, this.registrations(name).filter((other) => other !== entry));
  }

  /**
   * @param {string} name
   * @param {(...args: any[]) => void} listener
   * @param {boolean} once
   */
  #add(name, listener, once) {
    this.#listeners.set(name, [...this.registrations(name), { listener, once }]);
    return this;
  }
}
