/** RtmChannel (docs/contract.md 3). */

import { Room } from "../session/room.js";
import { unless } from "./checks.js";
import { channelAttributes } from "./client_attributes.js";
import { ApiEmitter } from "./events.js";
import { contentFault, fromWire, propsOf, shapeFault, toWire } from "./messages.js";

/**
 * @typedef {{
 *   ChannelMessage: [message: any, memberId: string, props: ReturnType<typeof propsOf>],
 *   MemberJoined: [memberId: string],
 *   MemberLeft: [memberId: string],
 *   MemberCountUpdated: [count: number],
 *   AttributesUpdated: [attributes: ReturnType<typeof channelAttributes>, revision: number],
 * }} ChannelEvents
 */

const GROUP = "CHANNEL_MESSAGE_ERR";
const NOT_IN = "NOT_IN_CHANNEL";
const JOIN_FIRST = "join first";
const SEND_MS = 10_000;
const CALL_MS = 5000;

/** @extends {ApiEmitter<ChannelEvents>} */
export class RtmChannel extends ApiEmitter {
  #context;

  /**
   * @param {import("./context.js").Context} context
   * @param {string} channelId
   */
  constructor(context, channelId) {
    super();
    this.#context = context;
    this.channelId = channelId;
  }

  /** What this object has joined with the login of now, or is joining. */
  get #joined() {
    const joined = this.#context.channels.get(this.channelId);
    return joined?.owner === this ? joined : null;
  }

  /** @returns {Promise<void>} */
  join() {
    const context = this.#context;
    const group = "JOIN_CHANNEL_ERR";
    return context.settle(group, async () => {
      const session = context.loggedIn(group);
      if (this.#joined) throw context.error(group, "ALREADY_JOINED", "joined");
      if (context.channels.has(this.channelId)) {
        throw context.error(group, "ALREADY_JOINED_CHANNEL_OF_SAME_ID", "joined");
      }
      const room = new Room(session, this.channelId);
      const joined = { owner: this, room, isIn: false };
      context.channels.set(this.channelId, joined);
      this.#listen(room);
      try {
        await room.join({ patient: false });
        joined.isIn = true;
      } catch (error) {
        this.#forget(room);
        if (session !== context.session || !context.isLoggedIn) context.loggedIn(group);
        throw error;
      }
    });
  }

  /** @returns {Promise<void>} */
  leave() {
    const context = this.#context;
    const group = "LEAVE_CHANNEL_ERR";
    return context.settle(group, async () => {
      if (context.state !== "CONNECTING") context.loggedIn(group);
      const joined = this.#joined;
      if (!joined) throw context.error(group, NOT_IN, JOIN_FIRST);
      this.#forget(joined.room);
      await joined.room.leave();
    });
  }

  /**
   * @param {any} message
   * @param {{enableHistoricalMessaging?: boolean}} [options]
   * @returns {Promise<void>}
   */
  sendMessage(message, options) {
    const context = this.#context;
    return context.settle(GROUP, async () => {
      context.check(GROUP, shapeFault(message));
      const joined = this.#joined;
      if (!joined?.isIn) throw context.error(GROUP, NOT_IN, JOIN_FIRST);
      context.loggedIn(GROUP);
      context.check(GROUP, contentFault(message));
      const historical = options?.enableHistoricalMessaging === true;
      try {
        await context.inTurn(toWire(message), (wire) => {
          return joined.room.send(wire, { historical, timeoutMs: SEND_MS, patient: false });
        });
      } catch (error) {
        if (this.#joined === joined) throw error;
        context.loggedIn(GROUP);
        throw context.error(GROUP, NOT_IN, JOIN_FIRST, error);
      }
    });
  }

  /** @returns {Promise<string[]>} the first 512 where there are more */
  getMembers() {
    const isIn = this.#joined?.isIn === true;
    return this.#context.ask("GET_MEMBERS_ERR", null, [unless(isIn, JOIN_FIRST, NOT_IN)], async (session) => {
      return (await session.call("room.members", { room: this.channelId }, CALL_MS)).members;
    });
  }

  /** @param {Room} room which tells nothing any more once it is left */
  #listen(room) {
    room.on("message", ({ sender, ts, body }, isOwn) => {
      const message = isOwn ? null : fromWire(body);
      if (message) this.emit("ChannelMessage", message, sender, propsOf(ts, false));
    });
    room.on("joined", (uid) => this.emit("MemberJoined", uid));
    room.on("left", (uid) => this.emit("MemberLeft", uid));
    room.on("count", (count) => this.emit("MemberCountUpdated", count));
    room.on("attributes", ({ body }) => {
      const { all, revision } = room.attributes;
      if (body.notify) this.emit("AttributesUpdated", channelAttributes(all), revision);
    });
    room.on("removed", (error) => {
      this.#context.log.write("error", `${this.channelId}: ${error.message}`);
      this.#forget(room);
    });
  }

  /** @param {Room} room */
  #forget(room) {
    const { channels } = this.#context;
    if (channels.get(this.channelId)?.room === room) channels.delete(this.channelId);
  }
}
