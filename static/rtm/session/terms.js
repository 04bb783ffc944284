/** The words of a session: its states, what it is made with, what it says. */

/** @typedef {"DISCONNECTED" | "CONNECTING" | "CONNECTED" | "RECONNECTING" | "ABORTED"} State */
/**
 * @typedef {"LOGIN" | "LOGIN_SUCCESS" | "LOGIN_FAILURE" | "LOGIN_TIMEOUT" | "INTERRUPTED" | "LOGOUT" |
 *   "BANNED_BY_SERVER" | "REMOTE_LOGIN" | "TOKEN_EXPIRED"} Reason
 */

/**
 * @typedef {object} SessionOptions
 * @property {string | (() => string)} url of the WebSocket, `ws:` or `wss:`; a function is asked before each attempt
 * @property {string} app App ID
 * @property {string} uid
 * @property {string | null} [token] null where the project wants none
 * @property {string | null} [session] of an earlier page of the same user, to go on unnoticed
 * @property {string[]} [capabilities]
 * @property {import("../connection/runtime.js").Runtime} [runtime] absent: that of a page, a worker, or Node
 */

/**
 * @typedef {object} LoginResult
 * @property {string} session
 * @property {boolean} resumed
 * @property {number} server_ts
 * @property {number} heartbeat_ms
 * @property {number} ack_bytes
 * @property {import("./stream.js").Page} inbox
 * @property {Record<string, import("./stream.js").Page>} streams those the user is still subscribed to
 */

/**
 * @typedef {{
 *   state: [state: State, reason: Reason],
 *   link: [isUp: boolean],
 *   tokenExpiring: [expiresAt: number],
 *   tokenExpired: [],
 * }} SessionEvents
 * `state`: a connection that is back within 4 s changes none; `link` tells at once. `tokenExpiring`: by the server's
 * clock, in milliseconds. `tokenExpired`: the session waits for another, `renew`.
 */

export const SDK_NAME = "rostrum-js";
export const SDK_VERSION = "0.1.0";

/** @type {Record<string, Reason>} what an ending that is final means to the application */
export const REASONS = {
  kicked: "BANNED_BY_SERVER",
  banned: "BANNED_BY_SERVER",
  remote_login: "REMOTE_LOGIN",
  superseded: "REMOTE_LOGIN",
};

/** @param {string} event of an entry: `room.sent`, `room.media_sent`, or the same of `peer` @returns {boolean} */
export const isMessage = (event) => event.endsWith("sent");
