/** Where what the server says goes: entries to their streams, the rest to its room or part; and what has its turn. */

/** @typedef {import("../connection/errors.js").RtmError} RtmError */
/** @typedef {import("../connection/protocol.js").Cursor} Cursor */
/** @typedef {import("./stream.js").Stream} Stream */

/**
 * @typedef {object} RoomReceiver what a room hands to its session
 * @property {(streams: Set<string>) => void} connected there is a login, still subscribed to these streams
 * @property {(error: RtmError | null) => void} disconnected with an error: for good
 * @property {(method: string, params: any) => void} pushed what is no entry: `room.joined`, `room.counted`...
 */

/** So long the online states wait for the messages at most. */
const CATCH_UP_MS = 5000;
const LEAVE_TIMEOUT_MS = 5000;
/** Between two questions that the application has not asked, so that its own find the bucket as it left it. */
const TURN_MS = 500;

export class Router {
  #session;
  /** @type {Map<string, Stream>} */
  #streams = new Map();
  /** @type {Map<string, RoomReceiver>} */
  #rooms = new Map();
  /** @type {Map<string, Promise<void>>} by room: a leave that may still be made */
  #leaving = new Map();
  /** @type {Set<Stream>} what has still to tell what it missed */
  #behind = new Set();
  /** @type {unknown} */
  #catchUpTimer = null;
  #nextTurn = 0;
  #isResumed = false;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** @param {Stream} stream takes part in resuming from the next login on, and in pushes from now on */
  addStream(stream) {
    this.#streams.set(stream.name, stream);
  }

  /** @param {Stream} stream */
  removeStream(stream) {
    if (this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
    this.caughtUp(stream);
  }

  /**
   * @param {string} room
   * @param {RoomReceiver} receiver
   */
  addRoom(room, receiver) {
    this.#rooms.set(room, receiver);
  }

  /**
   * @param {string} room
   * @param {RoomReceiver} receiver
   */
  removeRoom(room, receiver) {
    if (this.#rooms.get(room) === receiver) this.#rooms.delete(room);
  }

  /**
   * @param {string} room
   * @returns {Promise<void>} rejects with "not_connected" after a logout
   */
  leave(room) {
    const leaving = this.#leaving.get(room) ?? this.#leave(room);
    this.#leaving.set(room, leaving);
    return leaving;
  }

  /** @param {string} room @returns {boolean} whether a join would be undone by an earlier leave */
  isLeaving(room) {
    return this.#leaving.has(room);
  }

  /** @returns {Record<string, Cursor>} of all streams that were opened, to resume them */
  cursors() {
    /** @type {Record<string, Cursor>} */
    const cursors = {};
    for (const [name, { cursor, isSparse }] of this.#streams) if (cursor && !isSparse) cursors[name] = cursor;
    return cursors;
  }

  /**
   * After a login: first what the gap left in the streams, then the rooms' own affairs, then the online states.
   * @param {import("./session.js").LoginResult} result
   */
  connected({ resumed, inbox, streams }) {
    const session = this.#session;
    const { pace } = session;
    // Each step may end with a listener logging out; none of the rest is then for this login.
    const isOurs = () => session.isReady && session.pace === pace;
    this.#behind = new Set([...this.#streams.values()].filter(({ cursor, isSparse }) => cursor ?? isSparse));
    session.userAttributes.connected(resumed);
    session.inbox.connected(inbox, resumed);
    for (const [name, page] of Object.entries(streams)) {
      if (!isOurs()) return;
      const stream = this.#streams.get(name);
      if (stream?.cursor) stream.resume(page);
      else if (!stream) session.request("room.leave", { room: name.slice("room:".length) }, () => {});
    }
    const names = new Set(Object.keys(streams));
    for (const room of [...this.#rooms.values()]) if (isOurs()) room.connected(names);
    if (!isOurs()) return;
    this.#isResumed = resumed;
    if (this.#behind.size === 0) this.#catchUp();
    else this.#catchUpTimer = session.runtime.setTimeout(() => this.#catchUp(), CATCH_UP_MS);
  }

  /** @param {Stream} stream has told what it missed, or never will */
  caughtUp(stream) {
    if (this.#behind.delete(stream) && this.#behind.size === 0 && this.#catchUpTimer !== null) this.#catchUp();
  }

  /** @returns {number} milliseconds until a room may ask who is in it */
  turnMs() {
    const now = this.#session.runtime.monotonicNow();
    const at = Math.max(now, this.#nextTurn);
    this.#nextTurn = at + TURN_MS;
    return at - now;
  }

  /** @param {RtmError | null} error why there will be no connection any more; null when there will */
  disconnected(error) {
    const session = this.#session;
    session.runtime.clearTimeout(this.#catchUpTimer);
    this.#catchUpTimer = null;
    this.#behind.clear();
    this.#nextTurn = 0;
    for (const stream of [...this.#streams.values()]) stream.suspend();
    for (const room of [...this.#rooms.values()]) room.disconnected(error);
    if (!error) return;
    session.presence.reset();
    session.userAttributes.reset();
    session.invitations.reset();
  }

  /**
   * @param {string} method
   * @param {any} params
   */
  push(method, params) {
    if (method === "session.token_expiring") {
      this.#session.emit("tokenExpiring", params.expires_at);
    } else if (method === "presence.changed") {
      this.#session.presence.pushed(params.states);
    } else if (method === "stream.reset") {
      this.#streams.get(params.stream)?.resume({ ...params, recovered: false, live: true });
    } else if (params.stream !== undefined) {
      params.event = method;
      this.#streams.get(params.stream)?.push(params);
    } else if (params.room !== undefined) {
      this.#rooms.get(params.room)?.pushed(method, params);
    }
  }

  /** @param {string} room */
  async #leave(room) {
    try {
      await this.#session.call("room.leave", { room }, LEAVE_TIMEOUT_MS);
    } catch (error) {
      // Asked twice, or with the session that was removed meanwhile.
      if (/** @type {RtmError} */ (error).name !== "not_in_room") throw error;
    } finally {
      this.#leaving.delete(room);
      if (this.#session.isReady) this.#rooms.get(room)?.connected(new Set());
    }
  }

  #catchUp() {
    this.#session.runtime.clearTimeout(this.#catchUpTimer);
    this.#catchUpTimer = null;
    this.#session.presence.connected();
    this.#session.invitations.connected(this.#isResumed);
  }
}
