/**
 * A login that lives longer than its connections: the five states, reconnecting for ever with back-off,
 * resuming with the session id and the cursors of all streams, and calls that outlive a lost connection.
 */

import { Backoff } from "../connection/backoff.js";
import { Calls } from "./calls.js";
import { Connection } from "../connection/connection.js";
import { Emitter } from "../connection/emitter.js";
import { NotConnectedError, RpcError, RtmError, TimeoutError } from "../connection/errors.js";
import { Router } from "./router.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/errors.js").Ending} Ending */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {import("./stream.js").Page} Page */
/** @typedef {"DISCONNECTED" | "CONNECTING" | "CONNECTED" | "RECONNECTING" | "ABORTED"} State */
/**
 * @typedef {"LOGIN" | "LOGIN_SUCCESS" | "LOGIN_FAILURE" | "LOGIN_TIMEOUT" | "INTERRUPTED" | "LOGOUT" |
 *   "BANNED_BY_SERVER" | "REMOTE_LOGIN" | "TOKEN_EXPIRED"} Reason
 */

/**
 * @typedef {object} SessionOptions
 * @property {string} url of the WebSocket, `ws:` or `wss:`
 * @property {string} app App ID
 * @property {string} uid
 * @property {string | null} [token] null where the project wants none
 * @property {string | null} [session] of an earlier page of the same user, to go on unnoticed
 * @property {string[]} [capabilities]
 * @property {Runtime} runtime
 */

/**
 * @typedef {object} LoginResult
 * @property {string} session
 * @property {boolean} resumed
 * @property {number} server_ts
 * @property {number} heartbeat_ms
 * @property {number} ack_bytes
 * @property {Record<string, Page>} streams those the user is still subscribed to
 */

export const SDK_VERSION = "0.1.0";
const LOGIN_TIMEOUT_MS = 12_000;
const CALL_TIMEOUT_MS = 10_000;
const LOGOUT_TIMEOUT_MS = 3000;
/** A connection that held that long was a success: the next loss starts the back-off anew. */
const STABLE_MS = 5000;

/** @type {Record<string, Reason>} what an ending that is final means to the application */
const REASONS = {
  kicked: "BANNED_BY_SERVER",
  banned: "BANNED_BY_SERVER",
  remote_login: "REMOTE_LOGIN",
  superseded: "REMOTE_LOGIN",
};

/** @extends {Emitter<{state: [state: State, reason: Reason]}>} */
export class Session extends Emitter {
  #options;
  #backoff;
  /** @type {State} */
  #state = "DISCONNECTED";
  /** @type {Reason | null} */
  #reason = null;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {string | null} */
  #token;
  /** @type {string | null} */
  #sessionId;
  #loggedInAt = 0;
  /** @type {unknown} runs while the next attempt is waited for */
  #retryTimer = null;
  /** @type {{resolve: () => void, reject: (error: Error) => void, timer: unknown} | null} */
  #login = null;
  /** @type {Ending | null} */
  #ending = null;
  #calls;
  /** Streams and rooms put themselves in here. */
  router = new Router();

  /** @param {SessionOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#token = options.token ?? null;
    this.#sessionId = options.session ?? null;
    this.#backoff = new Backoff(options.runtime);
    this.#calls = new Calls(options.runtime, (method, params, settle, timeoutMs) => {
      if (this.#state === "CONNECTED") this.request(method, params, settle, timeoutMs);
      return this.#state === "CONNECTED";
    });
  }

  get state() {
    return this.#state;
  }

  get uid() {
    return this.#options.uid;
  }

  get runtime() {
    return this.#options.runtime;
  }

  /** The id to go on with in another page; null before the first login. */
  get sessionId() {
    return this.#sessionId;
  }

  /** How the last connection ended. */
  get ending() {
    return this.#ending;
  }

  /** Milliseconds of the last heartbeat's way there and back; NaN when none is known. */
  get rttMs() {
    return this.#connection?.rttMs ?? NaN;
  }

  /** @returns {Promise<void>} rejects with the server's error, "timeout", or "aborted" by a logout */
  login() {
    if (this.#state !== "DISCONNECTED") {
      return Promise.reject(new RtmError("already_logged_in", "already logged in, or on the way", false));
    }
    return new Promise((resolve, reject) => {
      const timer = this.runtime.setTimeout(
        () => this.#stop("DISCONNECTED", "LOGIN_TIMEOUT", new TimeoutError("session.login")),
        LOGIN_TIMEOUT_MS,
      );
      this.#login = { resolve, reject, timer };
      this.#setState("CONNECTING", "LOGIN");
      this.#attempt();
    });
  }

  /** @returns {Promise<void>} never rejects; the others see the user leave at once */
  async logout() {
    const connection = this.#state === "CONNECTED" ? this.#connection : null;
    if (connection) this.#connection = null;
    this.#stop("DISCONNECTED", "LOGOUT", new RtmError("aborted", "logged out meanwhile", false));
    this.#sessionId = null;
    if (!connection) return;
    await new Promise((done) => connection.request("session.logout", {}, LOGOUT_TIMEOUT_MS, done));
    connection.close();
  }

  /**
   * A new token for this connection and the next logins; a session that waits for one goes on. What the server says to
   * it now shows at the latest when the old one runs out.
   * @param {string | null} token
   */
  renew(token) {
    this.#token = token;
    if (token !== null) this.request("session.renew_token", { token }, () => {});
    if (this.#state === "RECONNECTING" && !this.#connection) this.#attempt();
  }

  /** Something came back (the page, the network): try now instead of waiting, or see whether we still live. */
  wake() {
    if (this.#state === "CONNECTED") this.#connection?.probe();
    if (this.#state !== "RECONNECTING" || this.#reason === "TOKEN_EXPIRED" || this.#connection?.isOpen) return;
    this.#connection?.close();
    this.#attempt();
  }

  /**
   * One request on the connection of this moment; `settle` is called synchronously with its frame, at once
   * where there is no connection.
   * @param {string} method
   * @param {object} params
   * @param {Settle} settle
   * @param {number} [timeoutMs]
   */
  request(method, params, settle, timeoutMs = CALL_TIMEOUT_MS) {
    if (this.#state === "CONNECTED" && this.#connection) {
      this.#connection.request(method, params, timeoutMs, settle);
    } else {
      settle(new NotConnectedError(), null);
    }
  }

  /**
   * A call that waits for a connection and is repeated when one is lost, so only for methods that may run
   * twice: all that read, and those with a message id.
   * @param {string} method
   * @param {object} params
   * @param {number} [timeoutMs] for everything together
   * @returns {Promise<any>}
   */
  call(method, params, timeoutMs = CALL_TIMEOUT_MS) {
    if (this.#state === "DISCONNECTED" || this.#state === "ABORTED") return Promise.reject(new NotConnectedError());
    return this.#calls.make(method, params, timeoutMs);
  }

  #attempt() {
    this.runtime.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    /** @type {Connection} */
    const connection = new Connection(this.#options.url, this.runtime, {
      opened: () => this.#opened(connection),
      pushed: (method, params) => {
        if (connection === this.#connection) this.router.push(method, params);
      },
      ended: (ending) => {
        if (connection === this.#connection) this.#ended(ending);
      },
    });
    this.#connection = connection;
  }

  /** @param {Connection} connection */
  #opened(connection) {
    const params = {
      app: this.#options.app,
      uid: this.#options.uid,
      token: this.#token,
      ...(this.#sessionId && { session: this.#sessionId }),
      streams: this.router.cursors(),
      client: { sdk: "rostrum-js", version: SDK_VERSION, capabilities: this.#options.capabilities ?? [] },
    };
    connection.request("session.login", params, LOGIN_TIMEOUT_MS, (error, result) => {
      if (connection !== this.#connection) return;
      if (error) this.#refused(error);
      else this.#loggedIn(connection, result);
    });
  }

  /**
   * @param {Connection} connection
   * @param {LoginResult} result
   */
  #loggedIn(connection, result) {
    this.#sessionId = result.session;
    this.#loggedInAt = this.runtime.monotonicNow();
    connection.start({ heartbeatMs: result.heartbeat_ms, ackBytes: result.ack_bytes });
    const login = this.#takeLogin();
    this.#setState("CONNECTED", "LOGIN_SUCCESS");
    login?.resolve();
    // A listener may have logged out: then there is nothing left to arrive at.
    if (connection !== this.#connection) return;
    this.router.connected(result.streams);
    this.#calls.flush();
  }

  /** @param {RtmError} error the login was not accepted */
  #refused(error) {
    if (error.retryable) {
      this.#connection?.close();
      this.#retryIn(this.#backoff.next(error instanceof RpcError ? error.retryAfterMs || null : null));
    } else if (this.#login) {
      this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
    } else if (error.name === "invalid_token" || error.name === "token_expired") {
      this.#waitForToken();
    } else {
      this.#stop("ABORTED", error.name === "banned" ? "BANNED_BY_SERVER" : "LOGIN_FAILURE", error);
    }
  }

  /** @param {Ending} ending */
  #ended(ending) {
    this.#ending = ending;
    this.#connection = null;
    if (ending.name === "session_lost") this.#sessionId = null;
    if (ending.name === "token_expired" && !this.#login) {
      this.#waitForToken();
      return;
    }
    if (!ending.reconnect) {
      const error = new RtmError(ending.name, `the server ended the connection: ${ending.name}`, false);
      if (this.#login) this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
      else this.#stop("ABORTED", REASONS[ending.name] ?? "INTERRUPTED", error);
      return;
    }
    this.#interrupted("INTERRUPTED");
    if (this.#loggedInAt > 0 && this.runtime.monotonicNow() - this.#loggedInAt >= STABLE_MS) this.#backoff.reset();
    this.#loggedInAt = 0;
    this.#retryIn(this.#backoff.next(ending.delayMs));
  }

  /** The token is refused: goes on when `renew` brings another. */
  #waitForToken() {
    this.#connection?.close();
    this.#connection = null;
    this.#interrupted("TOKEN_EXPIRED");
  }

  /** @param {Reason} reason */
  #interrupted(reason) {
    if (this.#state === "CONNECTED") this.router.disconnected(null);
    if (this.#state !== "CONNECTING") this.#setState("RECONNECTING", reason);
  }

  /** @param {number} delayMs */
  #retryIn(delayMs) {
    this.#connection = null;
    this.#retryTimer = this.runtime.setTimeout(() => this.#attempt(), delayMs);
  }

  /**
   * The end of trying.
   * @param {"DISCONNECTED" | "ABORTED"} state
   * @param {Reason} reason
   * @param {RtmError} error for what waits
   */
  #stop(state, reason, error) {
    this.runtime.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#connection?.close();
    this.#connection = null;
    const login = this.#takeLogin();
    this.#setState(state, reason);
    this.router.disconnected(error);
    this.#calls.fail(error);
    login?.reject(error);
  }

  #takeLogin() {
    const login = this.#login;
    this.#login = null;
    this.runtime.clearTimeout(login?.timer);
    return login;
  }

  /**
   * @param {State} state
   * @param {Reason} reason
   */
  #setState(state, reason) {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.emit("state", state, reason);
  }
}
