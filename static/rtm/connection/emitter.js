/**
 * A small typed event emitter. A listener that throws does not keep the others from running: its error is
 * reported and the next listener is called. What a listener causes is told after what it was told itself, so that
 * all listeners hear it in the same order.
 */

/** @param {unknown} error told as one that nobody caught; Node, which would end with it, has it in its log */
export function reportError(error) {
  (globalThis.reportError ?? console.error)(error);
}

/** @typedef {{listener: (...args: any[]) => void, once: boolean}} Registration */

/** @template {{[name: string]: any[]}} Events */
export class Emitter {
  /** @type {Map<string, Registration[]>} lists that are replaced, never changed: an emit goes on with the one it found */
  #listeners = new Map();
  /** @type {[name: string, args: any[]][]} the event that is told right now, and those behind it */
  #events = [];

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
    const newestFirst = [...this.registrations(name)].reverse();
    this.#drop(name, newestFirst.find((entry) => entry.listener === listener));
    return this;
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name]} args
   * @returns {boolean} whether anybody listened
   */
  emit(name, ...args) {
    const isHeard = this.registrations(name).length > 0;
    if (this.#events.push([name, args]) > 1) return isHeard;
    for (let event; (event = this.#events[0]); this.#events.shift()) this.#tell(...event);
    return isHeard;
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
   * @param {any[]} args
   */
  #tell(name, args) {
    for (const entry of this.registrations(name)) {
      if (entry.once) this.#drop(name, entry);
      try {
        entry.listener.apply(this, args);
      } catch (error) {
        reportError(error);
      }
    }
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
