/**
 * A server in memory that speaks the protocol to `FakeRuntime`s, with switches for what goes wrong: the network,
 * lost replies, refusals, restarts. What its methods do is in fake_methods.js.
 */

import { FakeMedia } from "./fake_media.js";
import { METHODS, removed } from "./fake_methods.js";
import { FakeSocket } from "./fake_runtime.js";
import { FakeRoom, FakeStream, rpcError } from "./fake_streams.js";

export { rpcError };

/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */

/** One way of the network, in milliseconds. */
const LATENCY_MS = 5;

/**
 * @typedef {object} FakeLogin
 * @property {string} uid
 * @property {string} id of the session
 * @property {FakeSocket | null} socket
 * @property {Set<string>} rooms
 * @property {Map<string, string>} taken the last message of each room
 * @property {Record<string, string>} attributes
 * @property {string} businessId
 * @property {Set<string>} watched whose online states the connection is told
 * @property {boolean} isReading pages of the inbox are missing: nothing of it is pushed
 */

export class FakeServer {
  #runtime;
  /** @type {Map<string, FakeRoom>} */
  rooms = new Map();
  /** @type {Map<string, FakeStream>} by uid */
  inboxes = new Map();
  /** @type {Map<string, FakeLogin>} by uid */
  logins = new Map();
  /** @type {Map<string, any>} by caller and id */
  invitations = new Map();
  media = new FakeMedia();
  /** @type {Set<() => void>} what looks again when an inbox is acknowledged */
  receipts = new Set();
  /** @type {{method: string, params: any}[]} all requests in order, over all connections */
  requests = [];
  /** Nobody gets in, as while the process is down. */
  isDown = false;
  /** Nothing passes either way, without a word, as in a dead network. */
  isSilent = false;
  /** Each push comes twice. */
  isStuttering = false;
  /** How much longer an answer takes than a push. @type {() => number} */
  dawdleMs = () => 0;
  /** @type {Map<string, any[]>} errors for the next calls of a method */
  #refusals = new Map();
  /** @type {Map<string, number>} how many answers of a method get lost with their connection */
  #cuts = new Map();
  /** Entries in one page; the rest is to be pulled. */
  pageSize = 100;

  /** @param {FakeRuntime} runtime */
  constructor(runtime) {
    this.#runtime = runtime;
    runtime.onsocket = (socket) => this.#accept(socket);
  }

  get runtime() {
    return this.#runtime;
  }

  /** @param {string} name */
  room(name) {
    let room = this.rooms.get(name);
    if (!room) this.rooms.set(name, (room = new FakeRoom(`room:${name}`)));
    return room;
  }

  /** @param {string} uid */
  inbox(uid) {
    let inbox = this.inboxes.get(uid);
    if (!inbox) this.inboxes.set(uid, (inbox = new FakeStream(`inbox:${uid}`)));
    return inbox;
  }

  /** The next call of `method` is refused. @param {string} method @param {{error: object}} refusal */
  refuseNext(method, refusal) {
    this.#refusals.set(method, [...(this.#refusals.get(method) ?? []), refusal]);
  }

  /** The next call of `method` is not made, and answered with this. @param {string} method @param {any} result */
  answerNext(method, result) {
    this.refuseNext(method, result);
  }

  /** The next call of `method` is done, and the connection is lost before the answer. @param {string} method */
  cutNext(method) {
    this.#cuts.set(method, (this.#cuts.get(method) ?? 0) + 1);
  }

  /** @param {string} method @returns {any[]} params */
  paramsOf(method) {
    return this.requests.filter((request) => request.method === method).map(({ params }) => params);
  }

  /** All connections are lost; the sessions stay. */
  cutAll() {
    for (const uid of [...this.logins.keys()]) this.cut(uid);
  }

  /** @param {string} uid whose connection is lost */
  cut(uid) {
    const login = this.logins.get(uid);
    const socket = login?.socket;
    if (!login || !socket) return;
    login.socket = null;
    socket.drop(1006);
  }

  /** The process restarts: the log stays, sessions do not. */
  restart() {
    this.cutAll();
    for (const uid of [...this.logins.keys()]) this.remove(uid);
  }

  /** A user whose client does not matter logs in. @param {string} uid */
  come(uid) {
    METHODS["session.login"](/** @type {any} */ ({ server: this, socket: new FakeSocket(""), params: { uid }, answer() {} }));
  }

  /** A session has been away for too long. @param {string} uid */
  remove(uid) {
    const login = this.logins.get(uid);
    if (login) removed(this, login);
  }

  /** Somebody else writes. @param {string} name @param {string} text @param {string} [sender] */
  write(name, text, sender = "other") {
    const messageId = `${sender}-${this.room(name).head + 1}`;
    return this.appendToRoom(name, "room.sent", sender, messageId, { type: "TEXT", text });
  }

  /** Somebody who is not logged in here writes to a user. @param {string} uid @param {string} text @param {boolean} [offline] */
  writeTo(uid, text, offline = true) {
    const body = { message: { type: "TEXT", text }, ...(offline && { offline }) };
    return this.appendToInbox(uid, "peer.sent", "other", `other-${this.inbox(uid).head + 1}`, body);
  }

  /** Somebody else comes. @param {string} name @param {string} uid */
  enter(name, uid) {
    this.room(name).members.add(uid);
    this.pushToRoom(name, "room.joined", { room: name, uid });
  }

  /** Somebody else goes. @param {string} name @param {string} uid */
  exit(name, uid) {
    this.room(name).members.delete(uid);
    this.pushToRoom(name, "room.left", { room: name, uid });
  }

  /** A notification to one user. @param {string} uid @param {string} method @param {any} params */
  push(uid, method, params) {
    const socket = this.logins.get(uid)?.socket;
    if (!socket) return;
    const message = { jsonrpc: "2.0", method, params };
    this.#deliver(socket, this.isStuttering ? [message, message] : message);
  }

  /** The server ends a user's connection. @param {string} uid @param {any} notice */
  close(uid, notice) {
    const login = this.logins.get(uid);
    if (!login?.socket) throw new Error(`${uid} is not connected`);
    const { socket } = login;
    login.socket = null;
    socket.deliver({ jsonrpc: "2.0", method: "session.closing", params: { delay_ms: 0, ...notice } });
    socket.drop(notice.code);
  }

  /** @param {string} name @param {string} event @param {string} sender @param {string} messageId @param {any} body */
  appendToRoom(name, event, sender, messageId, body) {
    const entry = this.room(name).append({ event, sender, message_id: messageId, ts: this.#runtime.wallNow(), body });
    const { event: method, ...params } = entry;
    this.pushToRoom(name, method, params);
    return entry;
  }

  /** @param {string} uid @param {string} event @param {string} sender @param {string} messageId @param {any} body */
  appendToInbox(uid, event, sender, messageId, body) {
    const entry = this.inbox(uid).append({ event, sender, message_id: messageId, ts: this.#runtime.wallNow(), body });
    const { event: method, ...params } = entry;
    if (!this.logins.get(uid)?.isReading) this.push(uid, method, params);
    return entry;
  }

  /** @param {string} name @param {string} method @param {any} params */
  pushToRoom(name, method, params) {
    for (const { uid, rooms } of this.logins.values()) {
      if (rooms.has(name) && params.uid !== uid) this.push(uid, method, params);
    }
  }

  /** @param {FakeSocket} socket */
  #accept(socket) {
    socket.onsend = (message) => {
      this.#later(() => {
        if (!socket.isClosed && !socket.isDropped) this.#take(socket, message);
      });
    };
    this.#later(() => {
      if (this.isDown) socket.drop(1006);
      else socket.open();
    });
  }

  /** @param {() => void} action @param {number} [moreMs] */
  #later(action, moreMs = 0) {
    if (!this.isSilent) this.#runtime.setTimeout(action, LATENCY_MS + moreMs);
  }

  /** @param {FakeSocket} socket @param {any} messages */
  #deliver(socket, messages) {
    // As it is now: what is changed later was not sent.
    const frame = JSON.stringify(messages);
    this.#later(() => socket.deliverText(frame));
  }

  /** @param {FakeSocket} socket @param {{id?: number, method: string, params: any}} message */
  #take(socket, { id, method, params }) {
    this.requests.push({ method, params });
    const refusal = id === undefined ? undefined : this.#refusals.get(method)?.shift();
    const login = [...this.logins.values()].find((candidate) => candidate.socket === socket);
    /** @param {any} outcome */
    const answer = (outcome) => {
      if (id === undefined) return;
      const reply = { jsonrpc: "2.0", id, ...("error" in outcome ? outcome : { result: outcome }) };
      const frame = JSON.stringify(reply);
      // A login is answered before anything is pushed.
      this.#later(() => socket.deliverText(frame), method === "session.login" ? 0 : this.dawdleMs());
    };
    if (refusal) {
      answer(refusal);
      return;
    }
    const cuts = this.#cuts.get(method) ?? 0;
    if (cuts > 0) this.#cuts.set(method, cuts - 1);
    const handle = METHODS[method];
    if (!handle) answer(rpcError(-32601, "method_not_found"));
    else if (!login && method !== "session.login" && method !== "session.ping") answer(rpcError(1, "not_logged_in"));
    else handle({ server: this, socket, login: /** @type {FakeLogin} */ (login), params, answer });
    if (cuts > 0) this.cutAll();
  }
}
