/**
 * A login that lives longer than its connections: the five states, what it says to its application, and the parts
 * that come back with each connection (messages, presence, attributes, rooms...).
 */

import { Emitter } from "../connection/emitter.js";
import { NotConnectedError, RtmError, TimeoutError } from "../connection/errors.js";
import { createIdMaker } from "../connection/ids.js";
import { defaultRuntime } from "../connection/runtime.js";
import { Calls } from "./calls.js";
import { Deferred } from "./deferred.js";
import { Identity } from "./identity.js";
import { Inbox } from "./inbox.js";
import { Invitations } from "./invitations.js";
import { LOGIN_TIMEOUT_MS, Link } from "./link.js";
import { Peers } from "./peers.js";
import { Presence } from "./presence.js";
import { Router } from "./router.js";
import { Standing } from "./standing.js";
import { REASONS } from "./terms.js";
import { UserAttributes } from "./user_attributes.js";

/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {import("./terms.js").State} State */
/** @typedef {import("./terms.js").Reason} Reason */
/** @typedef {import("./terms.js").LoginResult} LoginResult */

export { SDK_VERSION } from "./terms.js";

const CALL_TIMEOUT_MS = 10_000;
const LOGOUT_TIMEOUT_MS = 3000;

/** @extends {Emitter<import("./terms.js").SessionEvents>} */
export class Session extends Emitter {
  #identity;
  #standing;
  #link;
  #calls;
  /** @type {string | null} */
  #businessId = null;
  /** @type {Deferred | null} */
  #login = null;
  /** Whether the application was told that there is a connection. */
  #isLinked = false;
  /** Counts logins and their ends, as a listener may cause them. */
  #life = 0;
  /** @type {(() => void) | null} */
  #unwatch = null;
  /** How the last connection ended. @type {import("../connection/errors.js").Ending | null} */
  ending = null;
  /** Whether requests go out right now, and the parts know of it. */
  isReady = false;
  uid;
  runtime;
  /** A new message id, for what may be made again. */
  makeId;
  /** Streams and rooms put themselves in here. */
  router;
  peers;
  presence;
  userAttributes;
  invitations;
  inbox;

  /** @param {import("./terms.js").SessionOptions} options */
  constructor(options) {
    super();
    const { runtime = defaultRuntime(), url } = options;
    this.uid = options.uid;
    this.runtime = runtime;
    this.#identity = new Identity(options);
    this.#standing = new Standing(runtime, (state, reason) => this.emit("state", state, reason));
    this.makeId = createIdMaker(runtime);
    this.#link = new Link({
      runtime,
      url: typeof url === "function" ? url : () => url,
      login: () => this.#identity.present(this.router.cursors()),
      up: (result) => this.#up(result),
      pushed: (method, params) => this.router.push(method, params),
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
    return this.#standing.state;
  }

  get isLoggedIn() {
    return this.state === "CONNECTED" || this.state === "RECONNECTING";
  }

  /** With which it logs in the next time. */
  get token() {
    return this.#identity.token;
  }

  /** The id to go on with in another page; null before the first login. */
  get sessionId() {
    return this.#identity.session;
  }

  /** Milliseconds for which others may still come back to a server that has forgotten all sessions. */
  get doubtMs() {
    return this.#link.doubtMs;
  }

  /** Milliseconds of the last heartbeat's way there and back; NaN when none is known. */
  get rttMs() {
    return this.#link.rttMs;
  }

  /** The slices in which frames are handed on; null without a connection. */
  get pace() {
    return this.#link.pace;
  }

  /** @returns {Promise<void>} rejects with the server's error, "timeout", or "aborted" by a logout */
  login() {
    if (this.state !== "DISCONNECTED") {
      return Promise.reject(new RtmError("already_logged_in"));
    }
    const gaveUp = () => this.#stop("DISCONNECTED", "LOGIN_TIMEOUT", new TimeoutError("session.login"));
    const login = new Deferred(this.runtime, LOGIN_TIMEOUT_MS, gaveUp);
    this.#login = login;
    this.#life += 1;
    this.#standing.set("CONNECTING", "LOGIN");
    if (login === this.#login) {
      this.#unwatch = this.runtime.watch?.(this) ?? null;
      this.#link.start();
    }
    return login.promise;
  }

  /** @returns {Promise<void>} never rejects; the others see the user leave at once */
  async logout() {
    // What a listener has had by now is not to come again with the next login.
    if (this.isReady) this.inbox.acknowledge();
    const connection = this.#link.isUp ? this.#link.release() : null;
    this.#identity.session = null;
    this.#stop("DISCONNECTED", "LOGOUT", new RtmError("aborted"));
    if (!connection) return;
    await new Promise((done) => connection.request("session.logout", {}, LOGOUT_TIMEOUT_MS, done));
    connection.close();
  }

  /**
   * @param {string} token for this connection and the next logins; a session that waits for one goes on with it
   * @returns {Promise<void>} rejects with what the server says against it, or "timeout"
   */
  async renew(token) {
    if (!this.isLoggedIn) throw new NotConnectedError();
    await this.#identity.renew(token, this.#link.isUp, () => {
      this.#link.start();
      return this.call("session.renew_token", { token });
    });
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
    if (this.isReady) this.#link.request(method, params, settle, timeoutMs);
    else settle(new NotConnectedError(), null);
  }

  /** What is not answered; lost where there is no connection. @param {string} method @param {object} params */
  notify(method, params) {
    this.#link.notify(method, params);
  }

  /**
   * A call that waits for a connection and is repeated when one is lost or the server fails, so only for methods that
   * may run twice: all that read or set, and those with a message id.
   * @param {string} method
   * @param {object} params
   * @param {number} [timeoutMs] for everything together
   * @param {import("./calls.js").CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(method, params, timeoutMs = CALL_TIMEOUT_MS, options = {}) {
    if (!this.isLoggedIn) return Promise.reject(new NotConnectedError());
    return this.#calls.make(method, params, timeoutMs, options);
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

  /** @param {LoginResult} result */
  #up(result) {
    const life = this.#life;
    this.#identity.session = result.session;
    const login = this.#login;
    this.#login = null;
    this.#standing.set("CONNECTED", "LOGIN_SUCCESS");
    login?.resolve();
    if (life === this.#life) this.#tellLink(true);
    if (life !== this.#life) return;
    // In a task of its own: who waited for the login may want to listen before anything comes.
    this.#link.pace?.detour(() => this.#arrive(result));
    this.#link.pace?.rest();
  }

  /** @param {LoginResult} result */
  #arrive(result) {
    const life = this.#life;
    this.isReady = true;
    if (!result.resumed && this.#businessId !== null) {
      this.restore("session.set_business_id", { business_id: this.#businessId }, () => {});
    }
    this.router.connected(result);
    if (life === this.#life && this.isReady) this.#calls.open();
  }

  /** @param {RtmError} error the login was not accepted */
  #refused(error) {
    const isOfToken = error.name === "invalid_token" || error.name === "token_expired";
    if (this.#login) this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
    else if (isOfToken && !this.#identity.isTried) this.#link.start();
    else if (isOfToken) this.#waitForToken(error);
    else this.#stop("ABORTED", REASONS[error.name] ?? "LOGIN_FAILURE", error);
  }

  /** @param {import("../connection/errors.js").Ending} ending */
  #down(ending) {
    this.ending = ending;
    if (ending.name === "session_lost") this.#identity.session = null;
    if (!ending.reconnect) {
      const error = new RtmError(ending.name);
      if (this.#login) this.#stop("DISCONNECTED", "LOGIN_FAILURE", error);
      else if (ending.name === "token_expired") this.#waitForToken(error);
      else this.#stop("ABORTED", REASONS[ending.name] ?? "INTERRUPTED", error);
      return;
    }
    if (this.state !== "CONNECTED" || this.#standing.isInDoubt) return;
    this.#standing.doubt(this.#link.heardAt);
    this.#disconnected(null);
    this.#tellLink(false);
  }

  /** @param {RtmError} error the token is refused: goes on when `renew` brings another */
  #waitForToken(error) {
    const life = this.#life;
    this.#disconnected(null);
    this.#calls.fail(error, "session.renew_token");
    this.#tellLink(false);
    if (life === this.#life) this.#standing.set("RECONNECTING", "TOKEN_EXPIRED");
    if (life === this.#life) this.emit("tokenExpired");
  }

  /** @param {RtmError | null} error why there will be no connection any more; null when there will */
  #disconnected(error) {
    this.isReady = false;
    this.#calls.close();
    this.router.disconnected(error);
  }

  /** The end of trying. @param {State} state @param {Reason} reason @param {RtmError} error for what waits */
  #stop(state, reason, error) {
    const life = ++this.#life;
    this.#link.stop();
    this.#unwatch?.();
    this.#unwatch = null;
    this.#businessId = null;
    const login = this.#login;
    this.#login = null;
    this.#disconnected(error);
    this.#calls.fail(error);
    this.#tellLink(false);
    if (life === this.#life) this.#standing.set(state, reason);
    login?.reject(error);
  }

  /** @param {boolean} isUp */
  #tellLink(isUp) {
    if (isUp === this.#isLinked) return;
    this.#isLinked = isUp;
    this.emit("link", isUp);
  }
}
