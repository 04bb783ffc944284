/**
 * What the client takes from its surroundings, in one object, so that a test owns the clock, the network and
 * the dice, and so that it runs where there is no `WebSocket` of the usual kind.
 */

import { watchPage } from "./lifecycle.js";
import { steadyTimers } from "./timers.js";

/**
 * The part of a WebSocket that is used.
 * @typedef {object} SocketLike
 * @property {(data: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage `event.data` is the text of a frame
 * @property {((event: any) => void) | null} onerror
 * @property {((event: any) => void) | null} onclose `event.code` is the close code
 */

/**
 * @typedef {object} Timers
 * @property {(callback: () => void, delayMs: number) => unknown} setTimeout
 * @property {(handle: any) => void} clearTimeout
 */

/**
 * @typedef {Timers & {
 *   openSocket: (url: string) => SocketLike,
 *   soon: (callback: () => void) => void,
 *   watch: ((session: {wake: () => void}) => () => void) | null,
 *   monotonicNow: () => number,
 *   wallNow: () => number,
 *   random: () => number,
 *   randomBytes: (length: number) => Uint8Array,
 *   fetch?: typeof fetch,
 * }} Runtime
 * Times are in milliseconds: `monotonicNow` never jumps, `wallNow` is the time of day. `random` is in [0, 1). `soon`
 * calls back in a task of its own, after what waits for the processor by now. `watch` wakes a session when the page or
 * the network comes back, until what it returns is called. `fetch`: where it is not that of the engine.
 */

/**
 * The runtime of a browser, a worker, or Node with a global `WebSocket`.
 * @param {Partial<Runtime>} [overrides]
 * @returns {Runtime}
 */
export function defaultRuntime(overrides = {}) {
  return {
    ...steadyTimers({
      setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
      clearTimeout: (handle) => globalThis.clearTimeout(handle),
    }),
    openSocket: (url) => new WebSocket(url),
    monotonicNow: () => performance.now(),
    wallNow: () => Date.now(),
    random: () => Math.random(),
    soon,
    watch: typeof addEventListener === "function" ? watchPage : null,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    ...overrides,
  };
}

/**
 * @param {Runtime} runtime
 * @param {string} url
 * @param {RequestInit} [init]
 */
export const request = ({ fetch = globalThis.fetch }, url, init) => fetch(url, init);

/**
 * A message to ourselves: browsers make a timer wait longer, in a page out of sight up to a minute.
 * @param {() => void} callback
 */
function soon(callback) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(null);
}
