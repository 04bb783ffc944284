/** RtmClient (docs/contract.md 2): login and its ends, and what it makes. */

import { RtmError } from "../connection/errors.js";
import { defaultRuntime } from "../connection/runtime.js";
import { Session } from "../session/session.js";
import { areaSockets, socketUrl } from "./areas.js";
import { RtmChannel } from "./channel.js";
import { INVALID, NOT_ID, isBusinessId, isName, unless } from "./checks.js";
import { MediaClient } from "./client_media.js";
import { Context } from "./context.js";
import { LocalInvitation, invitationChanged } from "./invitations.js";
import { fromWire, propsOf } from "./messages.js";

/** @typedef {import("./areas.js").AreaConfig} AreaConfig */
/** @typedef {import("./flavours.js").Flavour} Flavour */
/** @typedef {import("./logs.js").LogConfig} LogConfig */
/** @typedef {import("../session/session.js").State} State */

/**
 * @typedef {LogConfig & {
 *   enableCloudProxy?: boolean,
 *   server?: string,
 *   socketFactory?: (url: string) => import("../connection/runtime.js").SocketLike,
 *   runtime?: import("../connection/runtime.js").Runtime,
 * }} ClientConfig
 */

/**
 * @typedef {{
 *   ConnectionStateChanged: [state: State, reason: string],
 *   MessageFromPeer: [message: any, peerId: string, props: ReturnType<typeof propsOf>],
 *   RemoteInvitationReceived: [invitation: import("./invitations.js").RemoteInvitation],
 *   PeersOnlineStatusChanged: [states: Record<string, string>],
 *   TokenPrivilegeWillExpire: [],
 *   TokenExpired: [],
 *   FallbackProxyConnected: [],
 * }} ClientEvents
 */

/**
 * @typedef {object} Surroundings of a client
 * @property {Flavour} flavour
 * @property {AreaConfig} areas
 * @property {(own?: string) => string} serverOf its address, throws where there is none
 */

/** A login counts as too often so long after the one before. */
const LOGIN_PAUSE_MS = 500;

/** @extends {MediaClient<ClientEvents>} */
export class RtmClient extends MediaClient {
  #context;
  #app;
  #areas;
  #runtime;
  #server;
  #loginAt = -Infinity;

  /**
   * @param {Surroundings} surroundings
   * @param {string} app
   * @param {ClientConfig} config
   */
  constructor({ flavour, areas, serverOf }, app, config) {
    const { server, socketFactory } = config;
    const runtime = config.runtime ?? defaultRuntime(socketFactory && { openSocket: socketFactory });
    const context = new Context(flavour, runtime, app, () => serverOf(server));
    super(context);
    this.#context = context;
    this.#app = app;
    this.#areas = areas;
    this.#runtime = runtime;
    this.#server = () => serverOf(server);
    this.updateConfig(config);
  }

  /** Of the last login; "" before the first. */
  get uid() {
    return this.#context.user?.uid ?? "";
  }

  get token() {
    return this.#context.user?.token ?? null;
  }

  /** @param {LogConfig} config @returns {void} */
  updateConfig(config) {
    this.#context.log.configure(config);
  }

  /** @param {LogConfig} config the old name of `updateConfig` @returns {void} */
  setParameters(config) {
    this.updateConfig(config);
  }

  /** @param {{uid: string, token?: string | null}} options @returns {Promise<void>} */
  login(options) {
    const group = "LOGIN_ERR";
    const context = this.#context;
    return context.settle(group, async () => {
      const { uid, token } = options ?? {};
      const isToken = typeof (token ?? "") === "string";
      context.check(group, unless(isName(uid), NOT_ID), unless(isToken, "not a valid token"));
      const now = this.#runtime.monotonicNow();
      if (now - this.#loginAt < LOGIN_PAUSE_MS) throw context.error(group, "TOO_OFTEN", "twice a second");
      if (context.state !== "DISCONNECTED") throw context.error(group, "ALREADY_LOGIN", "logged in");
      const server = this.#findServer(group);
      this.#loginAt = now;
      context.user = { uid, token: token || null };
      await this.#begin(context.user, server);
    });
  }

  /** @returns {Promise<void>} */
  logout() {
    const group = "LOGOUT_ERR";
    const context = this.#context;
    return context.settle(group, async () => {
      const { session } = context;
      if (!session || context.state === "DISCONNECTED") {
        if (context.flavour.isAnyRtc) return;
        throw context.error(group, "USER_NOT_LOGGED_IN", "not logged in");
      }
      const channels = [...context.channels.values()].map(({ owner }) => owner);
      context.stopTransfers();
      const leaving = session.logout();
      context.log.upload();
      // A listener may have logged in again.
      if (context.session === session) {
        context.renew(null);
        if (context.flavour.isAnyRtc) for (const emitter of [this, ...channels]) emitter.removeAllListeners();
      }
      await leaving;
    });
  }

  /** @param {string} token @returns {Promise<void>} */
  renewToken(token) {
    const fault = unless(typeof token === "string" && token !== "", "not a valid token");
    const { user } = /** @type {{user: {token: string | null}}} */ (this.#context);
    return this.#context.ask("RENEW_TOKEN_ERR", fault, [], async (session) => {
      try {
        await session.renew(token);
      } finally {
        user.token = session.token;
      }
    });
  }

  /**
   * @param {string} id 1 to 64 visible characters, told to webhooks with what this user does
   * @returns {Promise<void>}
   */
  setBusinessId(id) {
    const fault = unless(isBusinessId(id), NOT_ID);
    return this.#context.ask("BUSINESS_ID_ERR", null, [fault], (session) => session.setBusinessId(id));
  }

  /** @param {string} channelId @returns {RtmChannel} */
  createChannel(channelId) {
    if (!isName(channelId)) throw this.#context.error("CREATE_CHANNEL_ERR", INVALID, NOT_ID);
    return new RtmChannel(this.#context, channelId);
  }

  /** @param {string} calleeId @returns {LocalInvitation} */
  createLocalInvitation(calleeId) {
    if (!isName(calleeId)) throw this.#context.error("INVITATION_API_CALL_ERR", INVALID, NOT_ID);
    return new LocalInvitation(this.#context, calleeId);
  }

  /** @template Message @param {Message} message @returns {Message} the same: sending writes `messageType` into it */
  createMessage(message) {
    return message;
  }

  /**
   * @param {{uid: string, token: string | null}} user
   * @param {string} server
   */
  async #begin(user, server) {
    const context = this.#context;
    /** @type {RtmError | null} */
    let refusal = null;
    const refuse = (/** @type {RtmError} */ error) => {
      refusal = error;
      session.logout();
    };
    const chose = (/** @type {string} */ chosen) => {
      context.server = chosen;
    };
    chose(server);
    /** @type {Session} */
    const session = new Session({
      url: socketUrl(server),
      app: this.#app,
      ...user,
      capabilities: ["media"],
      runtime: {
        ...this.#runtime,
        openSocket: areaSockets(this.#areas, server, this.#runtime, refuse, chose),
      },
    });
    context.renew(session);
    this.#listen(session, (reason) => (refusal ? "LOGIN_FAILURE" : reason));
    try {
      await session.login();
    } catch (error) {
      if (context.session === session) context.renew(null);
      context.log.upload();
      throw refusal ?? error;
    }
  }

  /**
   * @param {Session} session
   * @param {(reason: string) => string} told
   */
  #listen(session, told) {
    const context = this.#context;
    session.on("state", (state, reason) => {
      context.log.write("info", `${state} ${told(reason)}`);
      this.emit("ConnectionStateChanged", state, told(reason));
      if (context.session === session && !context.isLoggedIn) context.end();
    });
    session.on("tokenExpiring", () => this.#tell("TokenPrivilegeWillExpire"));
    session.on("tokenExpired", () => this.#tell("TokenExpired"));
    session.peers.on("message", ({ sender, ts, body }, isOffline) => {
      const message = fromWire(body.message);
      if (message) this.emit("MessageFromPeer", message, sender, propsOf(ts, isOffline));
    });
    session.presence.on("changed", (states) => this.emit("PeersOnlineStatusChanged", states));
    session.invitations.on("changed", (view) => {
      const invitation = invitationChanged(context, session.uid, view);
      if (invitation) this.emit("RemoteInvitationReceived", invitation);
    });
  }

  /** @param {"TokenPrivilegeWillExpire" | "TokenExpired"} event under each of its names */
  #tell(event) {
    this.emit(event);
    const other = this.#context.flavour.otherNames[event];
    if (other) /** @type {any} */ (this).emit(other);
  }

  /** @param {string} group */
  #findServer(group) {
    try {
      return this.#server();
    } catch (error) {
      throw this.#context.error(group, INVALID, "no server: call setServer", error);
    }
  }
}
