/**
 * A server in memory that speaks the protocol to `FakeRuntime`s, with switches for what goes wrong: the
 * network, lost replies, refusals, restarts.
 */

/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */
/** @typedef {import("./fake_runtime.js").FakeSocket} FakeSocket */
/** @typedef {import("../../../static/rtm/connection/protocol.js").Entry} Entry */

/** One way of the network, in milliseconds. */
const LATENCY_MS = 5;

class FakeRoom {
  epoch = "";
  /** @type {Entry[]} */
  entries = [];
  /** @type {Set<string>} uids */
  members = new Set();
  /** @type {Record<string, any>} */
  attributes = {};
  revision = 0;

  get head() {
    return this.entries.at(-1)?.seq ?? 0;
  }

  /** @param {number} after */
  after(after) {
    return this.entries.filter((entry) => entry.seq > after);
  }
}

/**
 * @typedef {{
 *   uid: string, id: string, rooms: Set<string>, taken: Map<string, string>, socket: FakeSocket | null,
 * }} FakeLogin
 */

export class FakeServer {
  #runtime;
  #epochs = 0;
  /** @type {Map<string, FakeRoom>} */
  rooms = new Map();
  /** @type {Map<string, FakeLogin>} by uid */
  logins = new Map();
  /** @type {{method: string, params: any}[]} all requests in order, over all connections */
  requests = [];
  /** Nobody gets in, as while the process is down. */
  isDown = false;
  /** Nothing passes either way, without a word, as in a dead network. */
  isSilent = false;
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

  /** @param {string} name */
  room(name) {
    let room = this.rooms.get(name);
    if (!room) this.rooms.set(name, (room = new FakeRoom()));
    return room;
  }

  /** The next call of `method` is refused. @param {string} method @param {{error: object}} refusal */
  refuseNext(method, refusal) {
    this.#refusals.set(method, [...(this.#refusals.get(method) ?? []), refusal]);
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
    for (const login of this.logins.values()) {
      login.socket?.drop(1006);
      login.socket = null;
    }
  }

  /** The process restarts: the log stays, sessions do not. */
  restart() {
    this.cutAll();
    this.logins.clear();
    for (const room of this.rooms.values()) room.members.clear();
  }

  /** Somebody else writes. @param {string} name @param {string} text @param {string} [sender] */
  write(name, text, sender = "other") {
    const seq = this.room(name).head + 1;
    return this.#append(name, "room.sent", sender, `${sender}-${seq}`, { type: "TEXT", text });
  }

  /** Somebody else comes. @param {string} name @param {string} uid */
  enter(name, uid) {
    this.room(name).members.add(uid);
    this.#pushToRoom(name, "room.joined", { room: name, uid });
  }

  /** Somebody else goes. @param {string} name @param {string} uid */
  exit(name, uid) {
    this.room(name).members.delete(uid);
    this.#pushToRoom(name, "room.left", { room: name, uid });
  }

  /** A notification to one user. @param {string} uid @param {string} method @param {any} params */
  push(uid, method, params) {
    const socket = this.logins.get(uid)?.socket;
    if (socket) this.#deliver(socket, { jsonrpc: "2.0", method, params });
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

  /** @param {FakeSocket} socket */
  #accept(socket) {
    socket.onsend = (message) => {
      this.#later(() => {
        if (!socket.isClosed) this.#take(socket, message);
      });
    };
    this.#later(() => {
      if (this.isDown) socket.drop(1006);
      else socket.open();
    });
  }

  /** @param {() => void} action */
  #later(action) {
    if (!this.isSilent) this.#runtime.setTimeout(action, LATENCY_MS);
  }

  /** @param {FakeSocket} socket @param {any} message */
  #deliver(socket, message) {
    this.#later(() => socket.deliver(message));
  }

  /** @param {FakeSocket} socket @param {{id?: number, method: string, params: any}} message */
  #take(socket, { id, method, params }) {
    this.requests.push({ method, params });
    if (id === undefined) return;
    const refusal = this.#refusals.get(method)?.shift();
    if (refusal) {
      this.#deliver(socket, { jsonrpc: "2.0", id, ...refusal });
      return;
    }
    const result = this.#handle(socket, method, params);
    const cuts = this.#cuts.get(method) ?? 0;
    if (cuts > 0) {
      this.#cuts.set(method, cuts - 1);
      this.cutAll();
    } else if ("error" in result) {
      this.#deliver(socket, { jsonrpc: "2.0", id, ...result });
    } else {
      this.#deliver(socket, { jsonrpc: "2.0", id, result });
    }
  }

  /** @param {FakeSocket} socket @param {string} method @param {any} params @returns {any} */
  #handle(socket, method, params) {
    if (method === "session.login") return this.#login(socket, params);
    if (method === "session.ping") return {};
    const login = [...this.logins.values()].find((candidate) => candidate.socket === socket);
    if (!login) return rpcError(1, "not_logged_in");
    const room = params.room === undefined ? null : this.room(params.room);
    switch (method) {
      case "session.renew_token":
        return {};
      case "session.logout":
        this.logins.delete(login.uid);
        for (const name of login.rooms) this.exit(name, login.uid);
        return {};
      case "room.join":
        login.rooms.add(params.room);
        this.enter(params.room, login.uid);
        return { ...this.#snapshot(params.room), ...(params.after && this.#page(params.room, params.after)) };
      case "room.leave":
        login.rooms.delete(params.room);
        this.exit(params.room, login.uid);
        return {};
      case "room.members":
        return { members: [...this.room(params.room).members], total: this.room(params.room).members.size };
      case "room.history":
        return { entries: room?.entries ?? [], more: false };
      case "stream.read":
        return this.#page(params.stream.slice("room:".length), { seq: params.after, epoch: "" });
      case "room.send":
        if (!login.rooms.has(params.room)) return rpcError(7, "not_in_room");
        if (params.follows && params.follows !== login.taken.get(params.room)) return rpcError(21, "out_of_turn", true);
        login.taken.set(params.room, params.message_id);
        return this.#append(params.room, "room.sent", login.uid, params.message_id, params.message);
      default:
        return rpcError(-32601, "method_not_found");
    }
  }

  /** @param {FakeSocket} socket @param {any} params */
  #login(socket, { uid, session, streams = {} }) {
    const known = this.logins.get(uid);
    const resumed = known !== undefined && known.id === session;
    const id = `${uid}-${this.requests.length}`;
    const login = resumed ? known : { uid, id, rooms: new Set(), taken: new Map(), socket };
    login.socket = socket;
    this.logins.set(uid, login);
    const names = [...login.rooms];
    return {
      session: login.id,
      generation: this.requests.length,
      resumed,
      server_ts: this.#runtime.wallNow(),
      heartbeat_ms: 3000,
      ack_bytes: 1000,
      inbox: { stream: `inbox:${uid}`, epoch: "", head: 0, live: true, entries: [] },
      streams: Object.fromEntries(
        names.map((name) => {
          const { head, epoch } = this.room(name);
          const cursor = streams[`room:${name}`];
          const page = cursor ? this.#page(name, cursor) : { recovered: false, epoch, head, live: true, entries: [] };
          return [`room:${name}`, page];
        }),
      ),
    };
  }

  /** @param {string} name */
  #snapshot(name) {
    const { epoch, head, members, attributes, revision } = this.room(name);
    return { room: name, stream: `room:${name}`, epoch, head, member_count: members.size, attributes, revision, live: true };
  }

  /** @param {string} name @param {{seq: number, epoch: string}} cursor */
  #page(name, { seq, epoch }) {
    const room = this.room(name);
    if (epoch && epoch !== room.epoch) {
      return { recovered: false, epoch: room.epoch, head: room.head, live: true, entries: [] };
    }
    const missed = room.after(seq);
    const entries = missed.slice(0, this.pageSize);
    const live = entries.length === missed.length;
    return { recovered: true, epoch: room.epoch, head: room.head, live, entries };
  }

  /** @param {string} name @param {string} event @param {string} sender @param {string} messageId @param {any} body */
  #append(name, event, sender, messageId, body) {
    const room = this.room(name);
    const known = room.entries.find((entry) => entry.sender === sender && entry.message_id === messageId);
    if (known) return { seq: known.seq, ts: known.ts };
    room.epoch ||= `e${++this.#epochs}`;
    const entry = {
      stream: `room:${name}`,
      seq: room.head + 1,
      event,
      sender,
      message_id: messageId,
      ts: this.#runtime.wallNow(),
      body,
    };
    room.entries.push(entry);
    const { event: method, ...params } = entry;
    this.#pushToRoom(name, method, params);
    return { seq: entry.seq, ts: entry.ts };
  }

  /** @param {string} name @param {string} method @param {any} params */
  #pushToRoom(name, method, params) {
    for (const { uid, rooms } of this.logins.values()) {
      if (rooms.has(name) && params.uid !== uid) this.push(uid, method, params);
    }
  }
}

/** @param {number} code @param {string} name @param {boolean} [retryable] @param {object} [more] */
export function rpcError(code, name, retryable = false, more = {}) {
  return { error: { code, message: name, data: { name, retryable, ...more } } };
}
