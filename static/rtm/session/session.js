/**
 * A login that lives longer than its connections: the five states, what it says to its application, and the parts
 * that come back with each connection (messages, presence, attributes, rooms...).
 */

import { Emitter } from "../connection/emitter.js";
import { NotConnectedError, RtmError, TimeoutError } from "../connection/errors.js";
import { createIdMaker } from "../connection/ids.js";
import { Calls } from "./calls.js";
import { Inbox } from "./inbox.js";
import { Invitations } from "./invitations.js";
import { LOGIN_TIMEOUT_MS, Link } from "./link.js";
import { Peers } from "./peers.js";
import { Presence } from "./presence.js";
import { Router } from "./router.js";
import { UserAttributes } from "./user_attributes.js";

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
 * @property {string | (() => string)} url of the WebSocket, `ws:` or `wss:`; a function is asked before each attempt
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
 * @property {Page} inbox
 * @property {Record<string, Page>} streams those the user is still subscribed to
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

export const SDK_VERSION = "0.1.0";
const CALL_TIMEOUT_MS = 10_000;
const LOGOUT_TIMEOUT_MS = 3000;
/** So long after the last sign of life a lost connection is told as a state (docs/contract.md 6). */
const INTERRUPTED_AFTER_MS = 4000;

/** @type {Record<string, Reason>} what an ending that is final means to the application */
const REASONS = {
  kicked: "BANNED_BY_SERVER",
  banned: "BANNED_BY_SERVER",
  remote_login: "REMOTE_LOGIN",
  superseded: "REMOTE_LOGIN",
};

/** @extends {Emitter<SessionEvents>} */
export class Session extends Emitter {
  #options;
  #link;
  #calls;
  /** @type {State} */
  #state = "DISCONNECTED";
  /** @type {Reason | null} */
  #reason = null;
  /** @type {string | null} */
  #token;
  /** @type {string | null} of the newest attempt */
  #triedToken = null;
  /** @type {string | null} */
  #sessionId;
  /** @type {string | null} */
  #businessId = null;
  /** @type {{resolve: () => void, reject: (error: Error) => void, timer: unknown} | null} */
  #login = null;
  /** @type {Ending | null} */
  #ending = null;
  /** Whether the parts know of the connection. */
  #isReady = false;
  /** Counts logins and their ends, as a listener may cause them. */
  #life = 0;
  /** @type {unknown} runs while a lost connection may still come back unnoticed */
  #grace = null;
  /** @type {(() => void) | null} */
  #unwatch = null;
  /** A new message id, for what may be made again. */
  makeId;
  /** Streams and rooms put themselves in here. */
  router;
  peers;
  presence;
  userAttributes;
  invitations;
  inbox;

  /** @param {SessionOptions} options */
  constructor(options) {
    super();
    const { runtime, url } = options;
    this.#options = options;
    this.#token = options.token ?? null;
    this.#sessionId = options.session ?? null;
    this.makeId = createIdMaker(runtime);
    this.#link = new Link({
      runtime,
      url: typeof url === "function" ? url : () => url,
      login: () => this.#loginParams(),
      up: (result) => this.#up(result),
      pushed: (method, params) => this.#pushed(method, params),
      frameEnded: () => this.inbox.acknowledge(),
      down: (ending) => this.#down(ending),
      refused: (error) => this.#refused(error),
    });
    this.#calls = new Calls(runtime, (...call) => this.request(...call));
    this.router = new Router(this);
    this.peers = new Peers(this);
    this.presence = new Presence(this);
    this.userAttributes = new UserAttributes(this);
    this.invitations = new Invitations(this);
    this.inbox = new Inbox(this);
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
    return this.#link.rttMs;
  }

  /** Whether requests go out right now. */
  get isReady() {
    return this.#isReady;
  }

  /** The slices in which frames are handed on; null without a connection. */
  get pace() {
    return this.#link.pace;
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
      const life = ++this.#life;
      this.#setState("CONNECTING", "LOGIN");
      if (life !== this.#life) return;
      this.#unwatch = this.runtime.watch?.(this) ?? null;
      this.#link.start();
    });
  }

  /** @returns {Promise<void>} never rejects; the others see the user leave at once */
  async logout() {
    // What a listener has had by now is not to come again with the next login.
    if (this.#isReady) this.inbox.acknowledge();
    const connection = this.#isReady ? this.#link.release() : null;
    this.#sessionId = null;
    this.#stop("DISCONNECTED", "LOGOUT", new RtmError("aborted", "logged out meanwhile", false));
    if (!connection) return;
    await new Promise((done) => connection.request("session.logout", {}, LOGOUT_TIMEOUT_MS, done));
    connection.close();
  }

  /**
   * A new token for this connection and the next logins; a session that waits for one goes on with it.
   * @param {string} token
   * @returns {Promise<void>} rejects with what the server says against it, or "timeout"
   */
  async renew(token) {
    const previous = this.#token;
    const wasUp = this.#link.isUp;
    if (this.#state === "CONNECTED" || this.#state === "RECONNECTING") {
      this.#token = token;
      this.#link.start();
    }
    try {
      await this.call("session.renew_token", { token });
    } catch (error) {
      // One that is refused changes nothing.
      if (wasUp && this.#token === token && !(/** @type {RtmError} */ (error).retryable)) this.#token = previous;
      throw error;
    }
  }

  /** @param {string} id given to webhooks with what the user does, until the logout @returns {Promise<void>} */
  async setBusinessId(id) {
    await this.call("session.set_business_id", { business_id: id });
    this.#businessId = id;
  }

  /** Something came back (the page, the network): try now instead of waiting, or see whether we still live. */
  wake() {
    this.#link.wake();
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
    if (this.#isReady) this.#link.request(method, params, settle, timeoutMs);
    else settle(new NotConnectedError(), null);
  }

  /**
   * What is not answered; lost where there is no connection.
   * @param {string} method
   * @param {object} params
   */
  notify(method, params) {
    this.#link.notify(method, params);
  }

  /**
   * A call that waits for a connection and is repeated when one is lost or the server fails, so only for methods that
   * may run twice: all that read or set, and those with a message id.
   * @param {string} method
   * @param {object} params
   * @param {number} [timeoutMs] for everything together
   * @param {boolean} [isPatient] waits also where it is made too often
   * @returns {Promise<any>}
   */
  call(method, params, timeoutMs = CALL_TIMEOUT_MS, isPatient = false) {
    if (this.#state !== "CONNECTED" && this.#state !== "RECONNECTING") return Promise.reject(new NotConnectedError());
    return this.#calls.make(method, params, timeoutMs, isPatient);
  }

  /**
   * Gives the server back what it does not know on this connection, before other calls of that kind.
   * @param {string} method
   * @param {object} params
   * @param {Settle} settle not called when the connection is lost before
   */
  restore(method, params, settle) {
    this.#calls.restore(method, params, settle);
  }

  #loginParams() {
    const { app, uid, capabilities = [] } = this.#options;
    this.#triedToken = this.#token;
    return {
      app,
      uid,
      token: this.#token,
      ...(this.#sessionId && { session: this.#sessionId }),
      streams: this.router.cursors(),
      client: { sdk: "rostrum-js", version: SDK_VERSION, capabilities },
    };
  }

  /** @param {LoginResult} result */
  #up(result) {
    const life = this.#life;
    this.#sessionId = result.session;
    this.runtime.clearTimeout(this.#grace);
    this.#grace = null;
    const login = this.#takeLogin();
    this.#setState("CONNECTED", "LOGIN_SUCCESS");
    login?.resolve();
    if (life === this.#life) this.emit("link", true);
    if (life !== this.#life) return;
    // In a task of its own: who waited for the login may want to listen before anything comes.
    this.pace?.later(() => this.#arrive(result));
    this.pace?.rest();
  }

  /** @param {LoginResult} result */
  #arrive(result) {
    const life = this.#life;
    this.#isReady = true;
    if (!result.resumed && this.#businessId !== null) {
      this.restore("session.set_business_id", { business_id: this.#businessId }, () => {});
    }
    this.router.connected(result);
    if (life === this.#life && this.#isReady) this.#calls.open();
  }

  /**
   * @param {string} method
   * @param {any} params
   */
  #pushed(method, params) {
    if (method === "session.token_expiring") this.emit("tokenExpiring", params.expires_at);
    else this.router.push(method, params);
  }

  /** @param {RtmError} error the login was not accepted */
  #refused(error) {
    const isOfToken = error.name === "invalid_token" || error.name === "token_expired";
    if (this.#login) this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
    else if (isOfToken && this.#triedToken !== this.#token) this.#link.start();
    else if (isOfToken) this.#waitForToken(error);
    else this.#stop("ABORTED", REASONS[error.name] ?? "LOGIN_FAILURE", error);
  }

  /** @param {Ending} ending */
  #down(ending) {
    this.#ending = ending;
    if (ending.name === "session_lost") this.#sessionId = null;
    if (!ending.reconnect) {
      const error = new RtmError(ending.name, `the server ended the connection: ${ending.name}`, false);
      if (this.#login) this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
      else if (ending.name === "token_expired") this.#waitForToken(error);
      else this.#stop("ABORTED", REASONS[ending.name] ?? "INTERRUPTED", error);
      return;
    }
    if (this.#state !== "CONNECTED" || this.#grace !== null) return;
    const life = this.#life;
    const leftMs = this.#link.heardAt + INTERRUPTED_AFTER_MS - this.runtime.monotonicNow();
    this.#grace = this.runtime.setTimeout(() => this.#setState("RECONNECTING", "INTERRUPTED"), Math.max(0, leftMs));
    this.#disconnected(null);
    this.emit("link", false);
    if (leftMs <= 0 && life === this.#life) this.#setState("RECONNECTING", "INTERRUPTED");
  }

  /** @param {RtmError} error the token is refused: goes on when `renew` brings another */
  #waitForToken(error) {
    const life = this.#life;
    const wasConnected = this.#state === "CONNECTED";
    this.runtime.clearTimeout(this.#grace);
    this.#disconnected(null);
    this.#calls.fail(error, "session.renew_token");
    if (wasConnected) this.emit("link", false);
    if (life === this.#life) this.#setState("RECONNECTING", "TOKEN_EXPIRED");
    if (life === this.#life) this.emit("tokenExpired");
  }

  /** @param {RtmError | null} error why there will be no connection any more; null when there will */
  #disconnected(error) {
    this.#isReady = false;
    this.#calls.close();
    this.router.disconnected(error);
  }

  /**
   * The end of trying.
   * @param {"DISCONNECTED" | "ABORTED"} state
   * @param {Reason} reason
   * @param {RtmError} error for what waits
   */
  #stop(state, reason, error) {
    const life = ++this.#life;
    const wasConnected = this.#state === "CONNECTED";
    this.#link.stop();
    this.#unwatch?.();
    this.#unwatch = null;
    this.runtime.clearTimeout(this.#grace);
    this.#grace = null;
    this.#businessId = null;
    const login = this.#takeLogin();
    this.#disconnected(error);
    this.#calls.fail(error);
    if (wasConnected) this.emit("link", false);
    if (life === this.#life) this.#setState(state, reason);
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
