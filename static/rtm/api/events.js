/** The emitter that the vendors' objects are: Node's, as far as they declare it. */

import { Emitter } from "../connection/emitter.js";

/**
 * @template {{[name: string]: any[]}} Events
 * @extends {Emitter<Events>}
 */
export class ApiEmitter extends Emitter {
  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener
   */
  addListener(name, listener) {
    return this.on(name, listener);
  }

  /**
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(...args: Events[Name]) => void} listener
   */
  removeListener(name, listener) {
    return this.off(name, listener);
  }

  /** @param {string} [name] absent: of all events */
  removeAllListeners(name) {
    this.forget(name);
    return this;
  }

  /** @param {string} name */
  listeners(name) {
    return this.registrations(name).map(({ listener }) => listener);
  }

  /** @param {string} name */
  rawListeners(name) {
    return this.listeners(name);
  }

  /** @param {string} name */
  listenerCount(name) {
    return this.registrations(name).length;
  }

  /** There is no such bound, but programs of Node's emitters call it. @param {number} [_count] */
  setMaxListeners(_count) {
    return this;
  }
}
