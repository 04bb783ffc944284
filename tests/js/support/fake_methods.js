/** What the methods of the fake server do, as docs/protocol.md says, without rates and sizes. */

import { MEDIA_METHODS } from "./fake_media.js";
import { rpcError } from "./fake_streams.js";

/** @typedef {import("./fake_server.js").FakeServer} FakeServer */
/** @typedef {import("./fake_server.js").FakeLogin} FakeLogin */
/** @typedef {import("./fake_runtime.js").FakeSocket} FakeSocket */

/**
 * @typedef {object} Call
 * @property {FakeServer} server
 * @property {FakeSocket} socket
 * @property {FakeLogin} login
 * @property {any} params
 * @property {(outcome: any) => void} answer a result, or what `rpcError` makes
 */

/** A peer message is answered by then, whatever its receiver does. */
const RECEIPT_MS = 9000;

const REMOTE_LOGIN = { code: 4003, name: "remote_login", reconnect: false };
const SUPERSEDED = { code: 4010, name: "superseded", reconnect: false };

/** @type {Record<string, (call: Call) => void>} */
export const METHODS = {
  "session.login": ({ server, socket, params: { uid, session, streams = {} }, answer }) => {
    const known = server.logins.get(uid);
    const isResumed = known !== undefined && known.id === session;
    if (known?.socket && known.socket !== socket) server.close(uid, isResumed ? SUPERSEDED : REMOTE_LOGIN);
    if (known && !isResumed) removed(server, known);
    const login = isResumed ? known : newLogin(uid, `${uid}-${server.requests.length}`);
    login.socket = socket;
    login.watched = new Set();
    server.logins.set(uid, login);
    const inbox = server.inbox(uid);
    const { recovered: _, ...page } = inbox.page({ seq: inbox.acked }, server.pageSize);
    login.isReading = !page.live;
    answer({
      session: login.id,
      generation: server.requests.length,
      resumed: isResumed,
      server_ts: server.runtime.wallNow(),
      heartbeat_ms: 3000,
      ack_bytes: 1000,
      inbox: { stream: inbox.name, ...page },
      streams: Object.fromEntries(
        [...login.rooms].map((name) => {
          const { head, epoch } = server.room(name);
          const cursor = streams[`room:${name}`];
          const atHead = { recovered: false, epoch, head, live: true, entries: [] };
          return [`room:${name}`, cursor ? server.room(name).page(cursor, server.pageSize) : atHead];
        }),
      ),
    });
  },
  "session.ping": ({ answer }) => answer({}),
  "session.ack": () => {},
  "session.renew_token": ({ answer }) => answer({}),
  "session.set_business_id": ({ login, params, answer }) => {
    login.businessId = params.business_id;
    answer({});
  },
  "session.logout": ({ server, login, answer }) => {
    removed(server, login);
    answer({});
  },
  "stream.read": ({ server, login, params: { stream, after }, answer }) => {
    const [kind, name] = stream.split(":");
    const { recovered: _, ...page } = (kind === "room" ? server.room(name) : server.inbox(name)).page(
      { seq: after },
      server.pageSize,
    );
    if (kind === "inbox" && page.live) login.isReading = false;
    answer(page);
  },
  "inbox.ack": ({ server, login, params }) => {
    const inbox = server.inbox(login.uid);
    inbox.acked = Math.max(inbox.acked, params.seq);
    for (const look of [...server.receipts]) look();
  },

  "room.join": ({ server, login, params, answer }) => {
    login.rooms.add(params.room);
    server.enter(params.room, login.uid);
    const { name, epoch, head, members, attributes, revision } = server.room(params.room);
    answer({
      room: params.room,
      stream: name,
      epoch,
      head,
      member_count: members.size,
      attributes,
      revision,
      live: true,
      ...(params.after && server.room(params.room).page(params.after, server.pageSize)),
    });
  },
  "room.leave": ({ server, login, params, answer }) => {
    if (!login.rooms.delete(params.room)) return answer(rpcError(7, "not_in_room"));
    server.exit(params.room, login.uid);
    answer({});
  },
  "room.members": ({ server, params, answer }) => {
    const { members } = server.room(params.room);
    answer({ members: [...members], total: members.size });
  },
  "room.history": ({ server, params, answer }) => answer({ entries: server.room(params.room).entries, more: false }),
  "room.send": ({ server, login, params: { room, message_id: messageId, message, follows }, answer }) => {
    if (!login.rooms.has(room)) return answer(rpcError(7, "not_in_room"));
    if (follows && follows !== login.taken.get(room)) return answer(rpcError(21, "out_of_turn", true));
    login.taken.set(room, messageId);
    const made = server.media.message(message);
    const { seq, ts } =
      server.room(room).find(login.uid, messageId) ??
      (made
        ? server.appendToRoom(room, "room.media_sent", login.uid, messageId, made)
        : server.appendToRoom(room, "room.sent", login.uid, messageId, message));
    answer({ seq, ts });
  },
  "room.set_attributes": (call) => changeAttributes(call, { set: call.params.attributes, isAll: true }),
  "room.update_attributes": (call) => changeAttributes(call, { set: call.params.attributes }),
  "room.delete_attributes": (call) => changeAttributes(call, { deleted: call.params.keys }),
  "room.clear_attributes": (call) => changeAttributes(call, { isAll: true }),
  "room.get_attributes": ({ server, params: { room, keys }, answer }) => {
    const { attributes, revision } = server.room(room);
    answer({ attributes: pick(attributes, keys), revision });
  },

  "peer.send": ({ server, login, params, answer }) => {
    sendTo(server, login.uid, params.peer, params, answer);
  },
  "peer.send_many": ({ server, login, params, answer }) => {
    /** @type {Record<string, boolean>} */
    const received = {};
    for (const peer of params.peers) {
      sendTo(server, login.uid, peer, params, (outcome) => {
        received[peer] = outcome.received;
        if (Object.keys(received).length === params.peers.length) answer({ received, failed: {} });
      });
    }
  },
  "peer.history": ({ server, login, params, answer }) => {
    const entries = server.inbox(login.uid).entries.filter(({ sender }) => sender === params.peer);
    answer({ messages: entries, more: false });
  },

  ...MEDIA_METHODS,

  "presence.query": ({ server, params, answer }) => answer({ states: statesOf(server, params.uids) }),
  "presence.subscribe": ({ server, login, params, answer }) => {
    for (const uid of params.uids) login.watched.add(uid);
    answer({ states: statesOf(server, params.uids) });
  },
  "presence.unsubscribe": ({ login, params, answer }) => {
    for (const uid of params.uids) login.watched.delete(uid);
    answer({});
  },
  "presence.subscriptions": ({ login, answer }) => answer({ uids: [...login.watched] }),

  "user.set_attributes": ({ login, params, answer }) => {
    login.attributes = params.attributes;
    answer({});
  },
  "user.update_attributes": ({ login, params, answer }) => {
    login.attributes = { ...login.attributes, ...params.attributes };
    answer({});
  },
  "user.delete_attributes": ({ login, params, answer }) => {
    login.attributes = Object.fromEntries(
      Object.entries(login.attributes).filter(([key]) => !params.keys.includes(key)),
    );
    answer({});
  },
  "user.clear_attributes": ({ login, answer }) => {
    login.attributes = {};
    answer({});
  },
  "user.get_attributes": ({ server, params, answer }) => {
    const other = server.logins.get(params.uid);
    answer(other ? { attributes: pick(other.attributes, params.keys) } : rpcError(18, "user_not_found"));
  },

  "invitation.send": ({ server, login, params: { invitation, peer, content, channel }, answer }) => {
    const key = `${login.uid} ${invitation}`;
    const isThere = server.logins.has(peer);
    if (!server.invitations.has(key)) {
      const view = { invitation, caller: login.uid, callee: peer, channel, content, response: "", step: 0 };
      server.invitations.set(key, view);
      happen(server, key, isThere ? { state: "SENT" } : { state: "FAILED", reason: "PEER_OFFLINE" }, isThere);
    }
    const { state, reason, step, ts } = server.invitations.get(key);
    answer({ state, reason, step, ts });
  },
  "invitation.confirm": (call) => act(call, { state: "RECEIVED" }),
  "invitation.accept": (call) => act(call, { state: "ACCEPTED", response: call.params.response }),
  "invitation.refuse": (call) => act(call, { state: "REFUSED", response: call.params.response }),
  "invitation.cancel": (call) => {
    const { content } = call.params;
    act(call, { state: "CANCELED", ...(content !== undefined && { content }) });
  },
  "invitation.list": ({ server, login, params: { before = Infinity }, answer }) => {
    const open = [...server.invitations.values()]
      .map((view, index) => ({ ...view, number: index + 1 }))
      .filter((view) => isOpen(view) && [view.caller, view.callee].includes(login.uid) && view.number < before)
      .reverse();
    answer({ invitations: open.slice(0, server.pageSize), more: open.length > server.pageSize });
  },
};

/** @param {string} uid @param {string} id @returns {FakeLogin} */
function newLogin(uid, id) {
  return {
    uid,
    id,
    socket: null,
    rooms: new Set(),
    taken: new Map(),
    attributes: {},
    businessId: "",
    watched: new Set(),
    isReading: false,
  };
}

/** A session ends for good. @param {FakeServer} server @param {FakeLogin} login */
export function removed(server, login) {
  server.logins.delete(login.uid);
  for (const name of login.rooms) server.exit(name, login.uid);
  for (const [key, view] of server.invitations) {
    if (isOpen(view) && [view.caller, view.callee].includes(login.uid)) {
      happen(server, key, { state: "FAILED", reason: view.caller === login.uid ? "NOT_LOGGEDIN" : "PEER_OFFLINE" });
    }
  }
}

/** @param {Record<string, any>} values @param {string[]} [keys] */
function pick(values, keys) {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !keys || keys.includes(key)));
}

/** @param {Call} call @param {{set?: Record<string, string>, deleted?: string[], isAll?: boolean}} change */
function changeAttributes({ server, login, params, answer }, { set = {}, deleted = [], isAll = false }) {
  const room = server.room(params.room);
  const known = room.find(login.uid, params.message_id);
  if (known) return answer({ seq: known.seq, revision: known.body.revision });
  if (params.revision !== undefined && params.revision !== room.revision) {
    return answer(rpcError(10, "revision_conflict", false, { revision: room.revision }));
  }
  const gone = isAll ? Object.keys(room.attributes).filter((key) => !(key in set)) : deleted;
  room.attributes = { ...pick(room.attributes, Object.keys(room.attributes).filter((key) => !gone.includes(key))) };
  for (const [key, value] of Object.entries(set)) {
    room.attributes[key] = { value, updated_by: login.uid, updated_at: server.runtime.wallNow() };
  }
  room.revision += 1;
  const body = { set, deleted: gone, revision: room.revision, notify: params.notify === true };
  const { seq } = server.appendToRoom(params.room, "room.attributes_changed", login.uid, params.message_id, body);
  answer({ seq, revision: room.revision });
}

/** @param {FakeServer} server @param {string} sender @param {string} peer @param {any} params @param {(outcome: any) => void} answer */
function sendTo(server, sender, peer, { message_id: messageId, message, offline, historical }, answer) {
  const inbox = server.inbox(peer);
  const made = server.media.message(message);
  const body = { message: made ?? message, ...(offline && { offline }), ...(historical && { historical }) };
  const known = inbox.find(sender, messageId);
  const event = made ? "peer.media_sent" : "peer.sent";
  const entry = known ?? server.appendToInbox(peer, event, sender, messageId, body);
  const settle = (/** @type {boolean} */ received) => {
    server.receipts.delete(look);
    if (!received && !offline) inbox.withdraw(entry.seq);
    answer({ received, ts: entry.ts });
  };
  const look = () => {
    if (inbox.acked >= entry.seq) settle(true);
    else if (!server.logins.has(peer)) settle(false);
  };
  server.receipts.add(look);
  server.runtime.setTimeout(() => server.receipts.has(look) && settle(false), RECEIPT_MS);
  look();
}

/** @param {FakeServer} server @param {string[]} uids */
function statesOf(server, uids) {
  return Object.fromEntries(
    uids.map((uid) => {
      const login = server.logins.get(uid);
      return [uid, !login ? "OFFLINE" : login.socket ? "ONLINE" : "UNREACHABLE"];
    }),
  );
}

/** @param {{state: string}} view */
const isOpen = ({ state }) => state === "SENT" || state === "RECEIVED";

/** @param {Call} call @param {{state: string, response?: string, content?: string}} change */
function act({ server, login, params, answer }, change) {
  const key = `${params.caller ?? login.uid} ${params.invitation}`;
  const view = server.invitations.get(key);
  if (!view) return answer(rpcError(19, "invitation_not_found"));
  const isRepeated = view.state === change.state;
  const isPast = view.state === "RECEIVED" && change.state === "RECEIVED";
  if (!isOpen(view) && !isRepeated) {
    const { state, reason, step } = view;
    return answer(rpcError(20, "invitation_ended", false, { state, reason, step }));
  }
  if (!isRepeated && !isPast) happen(server, key, change);
  const { state, reason, step, ts } = view;
  answer({ state, reason, step, ts });
}

/** @param {FakeServer} server @param {string} key @param {any} change @param {boolean} [toBoth] */
function happen(server, key, change, toBoth = true) {
  const view = server.invitations.get(key);
  Object.assign(view, { reason: "" }, change, { step: view.step + 1, ts: server.runtime.wallNow() });
  for (const uid of toBoth ? [view.caller, view.callee] : [view.caller]) {
    server.appendToInbox(uid, "invitation.changed", "", `invitation:${key}:${view.step}`, { ...view });
  }
}
