/** What an RtmClient does with other users: messages, history, online states (docs/contract.md 2). */

import { INVALID, NONE_VALID, NOT_ID, areNames, isName, unless } from "./checks.js";
import { AttributesClient } from "./client_attributes.js";
import { isMessage } from "../session/terms.js";
import { contentFault, fromWire, propsOf, shapeFault, toWire } from "./messages.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {{enableOfflineMessaging?: boolean, enableHistoricalMessaging?: boolean}} SendOptions */
/** @typedef {{hasPeerReceived: boolean, failure?: string}} Outcome `failure`: it is not known */

const SEND_MS = 10_000;
const COUNT_MS = 5000;
/** Receivers of one `sendMessageToPeers`: a project may raise it to that, and has 100. */
const RECEIVERS_CEILING = 1000;
/** The most ids that a project can raise a call to, and what it is to ask for more; up to it the server judges. */
const COUNTED = /** @type {const} */ ([1024, "EXCEED_LIMIT"]);
const QUERIED = /** @type {const} */ ([1024, INVALID]);
const SUBSCRIBED = /** @type {const} */ ([2048, "OVERFLOW"]);

/**
 * @template {{[name: string]: any[]}} Events
 * @extends {AttributesClient<Events>}
 */
export class PeersClient extends AttributesClient {
  #context;

  /** @param {import("./context.js").Context} context */
  constructor(context) {
    super(context);
    this.#context = context;
  }

  /**
   * @param {any} message
   * @param {string} peerId
   * @param {SendOptions} [options]
   * @returns {Promise<{hasPeerReceived: boolean}>}
   */
  async sendMessageToPeer(message, peerId, options) {
    return this.#send(message, isName(peerId), options, async (peers, wire, how) => {
      return { hasPeerReceived: (await peers.send(peerId, wire, how)).received };
    });
  }

  /**
   * @param {any} message
   * @param {string[]} peerIds at most 100
   * @param {SendOptions} [options]
   * @returns {Promise<Record<string, Outcome>>}
   */
  async sendMessageToPeers(message, peerIds, options) {
    const areRight = areNames(peerIds) && peerIds.length <= RECEIVERS_CEILING;
    const uids = areRight ? [...peerIds] : [];
    return this.#send(message, areRight, options, async (peers, wire, how) => {
      const answer = await peers.sendMany(uids, wire, how);
      const received = new Map(Object.entries(answer.received));
      const failed = new Map(Object.entries(answer.failed));
      return Object.fromEntries(
        uids.map((uid) => {
          const failure = failed.get(uid);
          return [uid, { hasPeerReceived: received.get(uid) === true, ...(failure && { failure }) }];
        }),
      );
    });
  }

  /**
   * @param {{peerId?: string, channelId?: string, before?: number, after?: number, limit?: number,
   *   order?: "asc" | "desc"}} query one of the ids; `before` and `after` are positions of messages, exclusive
   * @returns {Promise<{messages: {position: number, senderId: string, message: any,
   *   props: ReturnType<typeof propsOf>}[], more: boolean}>}
   */
  getMessageHistory(query) {
    const { peerId, channelId, ...range } = query ?? {};
    const room = this.#context.channels.get(channelId ?? "")?.room;
    const late = [
      unless((peerId === undefined) !== (channelId === undefined) && isName(peerId ?? channelId), NOT_ID),
      unless(channelId === undefined || room !== undefined, "join first", "NOT_IN_CHANNEL"),
    ];
    return this.#context.ask("MESSAGE_HISTORY_ERR", null, late, async ({ peers }) => {
      /** @type {any} */
      const page = await (room ? room.history(range) : peers.history(peerId ?? "", range));
      const past = page.messages ?? page.entries.filter((/** @type {any} */ { event }) => isMessage(event));
      const messages = past.map((/** @type {any} */ { seq, position = seq, sender, ts, body }) => ({
        position,
        senderId: sender,
        message: fromWire(body.message ?? body),
        props: propsOf(ts, body.offline === true, true),
      }));
      return { messages, more: page.more };
    });
  }

  /** @param {string[]} channelIds at most 32 @returns {Promise<Record<string, number>>} */
  getChannelMemberCount(channelIds) {
    return this.#ask("GET_CHANNEL_MEMBER_COUNT_ERR", channelIds, COUNTED, async (session, rooms) => {
      return (await session.call("room.member_counts", { rooms }, COUNT_MS)).counts;
    });
  }

  /** @param {string[]} peerIds at most 256 @returns {Promise<Record<string, boolean>>} */
  queryPeersOnlineStatus(peerIds) {
    return this.#ask("QUERY_PEERS_ONLINE_STATUS_ERR", peerIds, QUERIED, async ({ presence }, uids) => {
      const states = Object.entries(await presence.query(uids));
      return Object.fromEntries(states.map(([uid, state]) => [uid, state === "ONLINE"]));
    });
  }

  /** @param {string[]} peerIds 512 in all @returns {Promise<void>} */
  subscribePeersOnlineStatus(peerIds) {
    return this.#subscription(peerIds, ({ presence }, uids) => presence.subscribe(uids));
  }

  /** @param {string[]} peerIds @returns {Promise<void>} */
  unsubscribePeersOnlineStatus(peerIds) {
    return this.#subscription(peerIds, ({ presence }, uids) => presence.unsubscribe(uids));
  }

  /** @param {"ONLINE_STATUS"} option @returns {Promise<string[]>} */
  queryPeersBySubscriptionOption(option) {
    const group = "QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR";
    const fault = unless(option === "ONLINE_STATUS", "not a valid option", "FAILURE");
    return this.#context.ask(group, null, [fault], ({ presence }) => presence.list());
  }

  /** @param {string[]} ids @param {(session: Session, ids: string[]) => Promise<void>} work */
  #subscription(ids, work) {
    return this.#ask("PEER_SUBSCRIPTION_STATUS_ERR", ids, SUBSCRIBED, work);
  }

  /**
   * @template Result
   * @param {string} group
   * @param {string[]} ids
   * @param {readonly [most: number, name: string]} ceiling
   * @param {(session: Session, ids: string[]) => Promise<Result>} work with the ids as they are now
   */
  #ask(group, ids, [most, name], work) {
    const late = [unless(areNames(ids), NONE_VALID), unless(!(ids?.length > most), "too many", name)];
    return this.#context.ask(group, null, late, (session) => work(session, [...ids]));
  }

  /**
   * @template Result
   * @param {any} message
   * @param {boolean} isToNames
   * @param {SendOptions | undefined} options
   * @param {(peers: Session["peers"], wire: import("./messages.js").WireMessage, how: object) => Promise<Result>} work
   * @returns {Promise<Result>}
   */
  #send(message, isToNames, options, work) {
    const shape = shapeFault(message);
    const late = [unless(isToNames, NOT_ID, "INVALID_USERID"), shape ?? contentFault(message)];
    const how = {
      offline: options?.enableOfflineMessaging === true,
      historical: options?.enableHistoricalMessaging === true,
      timeoutMs: SEND_MS,
    };
    const context = this.#context;
    return context.ask("PEER_MESSAGE_ERR", shape, late, ({ peers }) =>
      context.inTurn(toWire(message), (wire) => work(peers, wire, how)),
    );
  }
}
