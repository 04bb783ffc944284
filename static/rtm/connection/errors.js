/** What a call can fail with, and what a close code means. */

/** The base of all errors of the client. `retryable`: the same call may succeed later, unchanged. */
export class RtmError extends Error {
  /**
   * @param {string} name as in the server's table, or "timeout", "connection_lost", "not_connected", "aborted"
   * @param {string} message
   * @param {boolean} retryable
   */
  constructor(name, message, retryable) {
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
    super("timeout", `${method} was not answered in time`, true);
  }
}

/** The connection ended before the answer came: whether the server did it is not known. */
export class ConnectionLostError extends RtmError {
  /** @param {string} method */
  constructor(method) {
    super("connection_lost", `the connection was lost before ${method} was answered`, true);
  }
}

/** There is no login, and none is on its way. */
export class NotConnectedError extends RtmError {
  constructor() {
    super("not_connected", "not logged in", false);
  }
}

/**
 * @typedef {object} Ending how a connection ended
 * @property {number} code the close code; 1006 when the network went, as in the WebSocket standard
 * @property {string} name from the server's table, or "lost", "silent"
 * @property {boolean} reconnect whether the client comes back by itself
 * @property {number | null} delayMs how long the server asks to wait before that
 */

/** @type {Record<number, {name: string, reconnect: boolean}>} docs/protocol.md, "Close codes" */
export const CLOSE_CODES = {
  1000: { name: "logged_out", reconnect: false },
  1009: { name: "frame_too_big", reconnect: true },
  1012: { name: "server_restart", reconnect: true },
  4001: { name: "kicked", reconnect: false },
  4002: { name: "banned", reconnect: false },
  4003: { name: "remote_login", reconnect: false },
  4004: { name: "token_expired", reconnect: false },
  4005: { name: "slow_consumer", reconnect: true },
  4006: { name: "login_timeout", reconnect: true },
  4007: { name: "protocol_error", reconnect: false },
  4008: { name: "session_lost", reconnect: true },
  4009: { name: "overloaded", reconnect: true },
  4010: { name: "superseded", reconnect: false },
};

/**
 * @param {number} code of the close event; a code that is not in the table is a lost network
 * @param {{code: number, name: string, reconnect: boolean, delay_ms?: number} | null} [notice]
 *   the `session.closing` that came before it: it knows more, and comes through where a proxy eats the code
 * @returns {Ending}
 */
export function endingOf(code, notice = null) {
  if (notice) {
    const { name, reconnect, delay_ms: delayMs = null } = notice;
    return { code: notice.code, name, reconnect, delayMs };
  }
  return { code, ...(CLOSE_CODES[code] ?? { name: "lost", reconnect: true }), delayMs: null };
}
