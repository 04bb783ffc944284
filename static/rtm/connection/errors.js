/** What a call can fail with, and what a close code means. */

/** The base of all errors of the client. `retryable`: the same call may succeed later, unchanged. */
export class RtmError extends Error {
  /**
   * @param {string} name as in the server's table, or "timeout", "connection_lost", "not_connected", "aborted"
   * @param {string} [message]
   * @param {boolean} [retryable]
   */
  constructor(name, message = name, retryable = false) {
    super(message);
    this.name = name;
    this.retryable = retryable;
  }

  /** What the server says beside. @type {Record<string, any>} */
  data = {};

  /** Milliseconds after which the server would take the call again; 0 when it did not say. */
  get retryAfterMs() {
    return this.data.retry_after_ms ?? 0;
  }
}

/** The server answered with an error. */
export class RpcError extends RtmError {
  /** @param {{code: number, message: string, data?: any}} error as it stands in the reply */
  constructor({ code, message, data = {} }) {
    super(data.name ?? `rpc_${code}`, message, data.retryable === true);
    this.code = code;
    this.data = data;
  }
}

/** No answer in time: whether the server did it is not known. */
export class TimeoutError extends RtmError {
  /** @param {string} method */
  constructor(method) {
    super("timeout", `${method}: no answer in time`, true);
  }
}

/** The connection ended before the answer came: whether the server did it is not known. */
export class ConnectionLostError extends RtmError {
  /** @param {string} method */
  constructor(method) {
    super("connection_lost", `${method}: connection lost`, true);
  }
}

/** There is no login, and none is on its way. */
export class NotConnectedError extends RtmError {
  constructor() {
    super("not_connected");
  }
}

/**
 * @typedef {object} Ending how a connection ended
 * @property {number} code the close code; 1006 when the network went, as in the WebSocket standard
 * @property {string} name from the server's table where it said why or it matters, else "lost" or "silent"
 * @property {boolean} reconnect whether the client comes back by itself
 * @property {number | null} delayMs how long the server asks to wait before that
 */

/** @type {Record<number, string>} docs/protocol.md, "Close codes": those after which no client comes back by itself */
const FINAL = {
  1000: "logged_out",
  4001: "kicked",
  4002: "banned",
  4003: "remote_login",
  4004: "token_expired",
  4007: "protocol_error",
  4010: "superseded",
};
/** After it one comes back as a new session. */
const SESSION_LOST = 4008;

/**
 * @param {number} code of the close event; what is none of these codes is a lost network
 * @param {{code: number, name: string, reconnect: boolean, delay_ms?: number} | null} [notice]
 *   the `session.closing` that came before it: it knows more, and comes through where a proxy eats the code
 * @returns {Ending}
 */
export function endingOf(code, notice = null) {
  if (notice) {
    const { name, reconnect, delay_ms: delayMs = null } = notice;
    return { code: notice.code, name, reconnect, delayMs };
  }
  const name = FINAL[code];
  return { code, name: name ?? (code === SESSION_LOST ? "session_lost" : "lost"), reconnect: !name, delayMs: null };
}
