/** Users of one fake server on one fake clock. */

import { Session } from "../../../static/rtm/session/session.js";

/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */

/** @param {FakeRuntime} runtime @param {string} uid */
export function sessionOf(runtime, uid, options = {}) {
  return new Session({ url: "ws://here/rtm/ws", app: "0".repeat(32), uid, runtime, ...options });
}

/** @param {FakeRuntime} runtime @param {string} uid @returns {Promise<Session>} logged in */
export async function logIn(runtime, uid) {
  const session = sessionOf(runtime, uid);
  await after(runtime, session.login());
  return session;
}

/** What a promise brings within some time. @template T @param {FakeRuntime} runtime @param {Promise<T>} promise */
export async function after(runtime, promise, ms = 50) {
  promise.catch(() => {});
  await runtime.advance(ms);
  return promise;
}

/** Settles with the error's name, or "done". @param {Promise<any>} promise @returns {Promise<string>} */
export const outcome = (promise) => promise.then(() => "done", (error) => error.name);

/** @param {string} text @returns {import("../../../static/rtm/connection/protocol.js").Message} */
export const say = (text) => ({ type: "TEXT", text });
