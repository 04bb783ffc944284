/** RtmClient (docs/contract.md 2): login and its ends, messages between users, presence, history. */

import { RtmError } from "../connection/errors.js";
import { defaultRuntime } from "../connection/runtime.js";
import { Session } from "../session/session.js";
import { areaSockets, socketUrl } from "./areas.js";
import { RtmChannel } from "./channel.js";
import { INVALID, MESSAGE_CEILING, areNames, isBusinessId, isName } from "./checks.js";
import { AttributesClient } from "./client_attributes.js";
import { Context } from "./context.js";
import { LocalInvitation, invitationChanged } from "./invitations.js";
import { mediaFault } from "./media.js";
import { fromWire, messageBytes, propsOf, shapeFault, toWire } from "./messages.js";

/** @typedef {import("./areas.js").AreaConfig} AreaConfig */
/** @typedef {import("./logs.js").ApiRuntime} ApiRuntime */
/** @typedef {import("./flavours.js").Flavour} Flavour */
/** @typedef {import("./logs.js").LogConfig} LogConfig */
/** @typedef {import("../session/session.js").State} State */
/** @typedef {{enableOfflineMessaging?: boolean, enableHistoricalMessaging?: boolean}} SendOptions */

/**
 * @typedef {LogConfig & {
 *   enableCloudProxy?: boolean,
 *   server?: string,
 *   socketFactory?: (url: string) => import("../connection/runtime.js").SocketLike,
 *   runtime?: ApiRuntime,
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
const SEND_MS = 10_000;
/** Receivers of one `sendMessageToPeers`; a project may raise it to that, and has 100. */
const RECEIVERS_CEILING = 1000;

/** @extends {AttributesClient<ClientEvents>} */
export class RtmClient extends AttributesClient {
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
      context.check(group, isName(uid) ? null : [INVALID, "not a valid uid"]);
      context.check(group, ["string", "undefined"].includes(typeof (token ?? undefined)) ? null : [INVALID, "no token"]);
      const now = this.#runtime.monotonicNow();
      if (now - this.#loginAt < LOGIN_PAUSE_MS) throw context.error(group, "TOO_OFTEN", "twice a second at most");
      if (context.state !== "DISCONNECTED") throw context.error(group, "ALREADY_LOGIN", "logged in, or on the way");
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
      await session.logout();
      if (context.session === session) context.renew(null);
      if (context.flavour.isAnyRtc) for (const emitter of [this, ...channels]) emitter.removeAllListeners();
      context.log.upload();
    });
  }

  /** @param {string} token @returns {Promise<void>} */
  renewToken(token) {
    const group = "RENEW_TOKEN_ERR";
    return this.#context.settle(group, async () => {
      this.#context.check(group, typeof token === "string" && token !== "" ? null : [INVALID, "not a token"]);
      const session = this.#context.loggedIn(group);
      await session.renew(token);
      this.#context.user = { uid: session.uid, token };
    });
  }

  /** @param {string} id 1 to 64 visible characters, told to webhooks with what this user does @returns {Promise<void>} */
  setBusinessId(id) {
    const group = "BUSINESS_ID_ERR";
    return this.#context.settle(group, async () => {
      const session = this.#context.loggedIn(group);
      this.#context.check(group, isBusinessId(id) ? null : [INVALID, "1 to 64 visible characters are wanted"]);
      await session.setBusinessId(id);
    });
  }

  /**
   * @param {any} message
   * @param {string} peerId
   * @param {SendOptions} [options]
   * @returns {Promise<{hasPeerReceived: boolean}>}
   */
  async sendMessageToPeer(message, peerId, options) {
    return this.#send(message, isName(peerId), async (peers, wire, how) => {
      const { received } = await peers.send(peerId, wire, how);
      return { hasPeerReceived: received };
    }, options);
  }

  /**
   * @param {any} message
   * @param {string[]} peerIds at most 100
   * @param {SendOptions} [options]
   * @returns {Promise<Record<string, {hasPeerReceived: boolean, failure?: string}>>} `failure`: it is not known
   */
  async sendMessageToPeers(message, peerIds, options) {
    const areRight = areNames(peerIds) && peerIds.length <= RECEIVERS_CEILING;
    return this.#send(message, areRight, async (peers, wire, how) => {
      const { received, failed } = await peers.sendMany(peerIds, wire, how);
      const results = Object.entries(received).map(([uid, hasPeerReceived]) => [uid, { hasPeerReceived }]);
      const failures = Object.entries(failed).map(([uid, failure]) => [uid, { hasPeerReceived: false, failure }]);
      return Object.fromEntries([...results, ...failures]);
    }, options);
  }

  /**
   * @param {{peerId?: string, channelId?: string, before?: number, after?: number, limit?: number,
   *   order?: "asc" | "desc"}} query one of the ids; `before` and `after` are positions of messages, exclusive
   * @returns {Promise<{messages: {position: number, senderId: string, message: any,
   *   props: ReturnType<typeof propsOf>}[], more: boolean}>}
   */
  getMessageHistory(query) {
    const group = "MESSAGE_HISTORY_ERR";
    const context = this.#context;
    return context.settle(group, async () => {
      const session = context.loggedIn(group);
      const { peerId, channelId, ...range } = query ?? {};
      const isOfPeer = channelId === undefined;
      context.check(group, isName(peerId ?? channelId) && (isOfPeer || peerId === undefined) ? null : [INVALID, "one id"]);
      const room = isOfPeer ? null : context.channels.get(/** @type {string} */ (channelId))?.room;
      if (!isOfPeer && !room) throw context.error(group, "NOT_IN_CHANNEL", "join first");
      const page = room ? await room.history(range) : await session.peers.history(/** @type {string} */ (peerId), range);
      const past = "entries" in page ? page.entries.filter(({ event }) => event === "room.sent") : page.messages;
      const messages = past.map((/** @type {any} */ { seq, position = seq, sender, ts, body }) => ({
        position,
        senderId: sender,
        message: fromWire(room ? body : body.message),
        props: propsOf(ts, body.offline === true, true),
      }));
      return { messages, more: page.more };
    });
  }

  /** @param {string} channelId @returns {RtmChannel} */
  createChannel(channelId) {
    if (!isName(channelId)) throw this.#context.error("CREATE_CHANNEL_ERR", INVALID, "not a valid channel id");
    return new RtmChannel(this.#context, channelId);
  }

  /** @param {string} calleeId @returns {LocalInvitation} */
  createLocalInvitation(calleeId) {
    if (!isName(calleeId)) throw this.#context.error("INVITATION_API_CALL_ERR", INVALID, "not a valid uid");
    return new LocalInvitation(this.#context, calleeId);
  }

  /** @template Message @param {Message} message @returns {Message} the same: sending writes `messageType` into it */
  createMessage(message) {
    return message;
  }

  /**
   * @param {Blob} payload
   * @param {object} params
   * @returns {Promise<any>}
   */
  createMediaMessageByUploading(payload, params) {
    return this.#media("UPLOAD_MEDIA_ERR", mediaFault(payload, params));
  }

  /** @param {string} mediaId @returns {Promise<any>} */
  downloadMedia(mediaId) {
    const isId = typeof mediaId === "string" && mediaId !== "";
    return this.#media("DOWNLOAD_MEDIA_ERR", { before: isId ? null : [INVALID, "not a mediaId"], after: null });
  }

  /** @param {string[]} channelIds at most 32 @returns {Promise<Record<string, number>>} */
  getChannelMemberCount(channelIds) {
    return this.#ask("GET_CHANNEL_MEMBER_COUNT_ERR", areNames(channelIds), async (session) => {
      return (await session.call("room.member_counts", { rooms: channelIds }, 5000)).counts;
    });
  }

  /** @param {string[]} peerIds at most 256 @returns {Promise<Record<string, boolean>>} */
  queryPeersOnlineStatus(peerIds) {
    const group = "QUERY_PEERS_ONLINE_STATUS_ERR";
    return this.#ask(group, areNames(peerIds), async ({ presence }) => {
      const states = Object.entries(await presence.query(peerIds));
      return Object.fromEntries(states.map(([uid, state]) => [uid, state === "ONLINE"]));
    });
  }

  /** @param {string[]} peerIds 512 in all @returns {Promise<void>} */
  subscribePeersOnlineStatus(peerIds) {
    return this.#ask("PEER_SUBSCRIPTION_STATUS_ERR", areNames(peerIds), ({ presence }) => presence.subscribe(peerIds));
  }

  /** @param {string[]} peerIds @returns {Promise<void>} */
  unsubscribePeersOnlineStatus(peerIds) {
    return this.#ask("PEER_SUBSCRIPTION_STATUS_ERR", areNames(peerIds), ({ presence }) => presence.unsubscribe(peerIds));
  }

  /** @param {"ONLINE_STATUS"} option @returns {Promise<string[]>} */
  queryPeersBySubscriptionOption(option) {
    return this.#ask("QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR", option === "ONLINE_STATUS", ({ presence }) =>
      presence.list(),
    );
  }

  /**
   * @param {{uid: string, token: string | null}} user
   * @param {string} server
   */
  async #begin(user, server) {
    const context = this.#context;
    /** @type {RtmError | null} */
    let refusal = null;
    /** @type {Session} */
    const session = new Session({
      url: socketUrl(server),
      app: this.#app,
      ...user,
      capabilities: [],
      runtime: {
        ...this.#runtime,
        openSocket: areaSockets(this.#areas, server, this.#runtime, (error) => {
          refusal = error;
          session.logout();
        }),
      },
    });
    context.renew(session);
    this.#listen(session, (reason) => (refusal ? "LOGIN_FAILURE" : reason));
    try {
      await session.login();
    } catch (error) {
      if (context.session === session) context.renew(null);
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
      if (context.session === session && !context.isLoggedIn) context.endInvitations();
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
      throw this.#context.error(group, INVALID, "no server: name one with setServer or config.server", error);
    }
  }

  /**
   * @template Result
   * @param {string} group
   * @param {boolean} isRight whether the arguments are
   * @param {(session: Session) => Promise<Result>} work
   */
  #ask(group, isRight, work) {
    return this.#context.settle(group, async () => {
      const session = this.#context.loggedIn(group);
      const name = group.startsWith("QUERY_PEERS_BY") ? "FAILURE" : INVALID;
      this.#context.check(group, isRight ? null : [name, "not a valid argument"]);
      return work(session);
    });
  }

  /**
   * @template Result
   * @param {any} message
   * @param {boolean} isToNames
   * @param {(peers: Session["peers"], wire: import("./messages.js").WireMessage, how: object) => Promise<Result>} work
   * @param {SendOptions} [options]
   * @returns {Promise<Result>}
   */
  #send(message, isToNames, work, options) {
    const group = "PEER_MESSAGE_ERR";
    const context = this.#context;
    return context.settle(group, async () => {
      const fault = shapeFault(message);
      context.check(group, fault === null ? null : ["INVALID_MESSAGE", fault]);
      const session = context.loggedIn(group);
      context.check(group, isToNames ? null : ["INVALID_USERID", "not a valid uid"]);
      context.check(group, messageBytes(message) > MESSAGE_CEILING ? ["INVALID_MESSAGE", "it is too large"] : null);
      context.check(group, message.mediaId ? ["FAILURE", "this server has no media storage"] : null);
      return work(session.peers, toWire(message), {
        offline: options?.enableOfflineMessaging === true,
        historical: options?.enableHistoricalMessaging === true,
        timeoutMs: SEND_MS,
      });
    });
  }

  /**
   * @param {string} group
   * @param {import("./media.js").MediaFault} fault
   * @returns {Promise<never>}
   */
  #media(group, { before, after }) {
    const context = this.#context;
    return context.settle(group, async () => {
      context.check(group, before);
      context.loggedIn(group);
      context.check(group, after);
      throw context.error(group, "FAILURE", "this server has no media storage");
    });
  }
}
