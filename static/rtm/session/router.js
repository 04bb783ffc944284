/** Where what the server pushes goes: entries to their streams, the rest to its room. */

/** @typedef {import("../connection/errors.js").RtmError} RtmError */
/** @typedef {import("../connection/protocol.js").Cursor} Cursor */
/** @typedef {import("./stream.js").Stream} Stream */
/** @typedef {import("./stream.js").Page} Page */

/**
 * @typedef {object} RoomReceiver what a room hands to its session
 * @property {(streams: Set<string>) => void} connected there is a login, still subscribed to these streams
 * @property {(error: RtmError | null) => void} disconnected with an error: for good
 * @property {(method: string, params: any) => void} pushed what is no entry: `room.joined`, `room.counted`...
 */

export class Router {
  /** @type {Map<string, Stream>} */
  #streams = new Map();
  /** @type {Map<string, RoomReceiver>} */
  #rooms = new Map();

  /** @param {Stream} stream takes part in resuming from the next login on, and in pushes from now on */
  addStream(stream) {
    this.#streams.set(stream.name, stream);
  }

  /** @param {Stream} stream */
  removeStream(stream) {
    if (this.#streams.get(stream.name) === stream) this.#streams.delete(stream.name);
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

  /** @returns {Record<string, Cursor>} of all streams that were opened, to resume them */
  cursors() {
    /** @type {Record<string, Cursor>} */
    const cursors = {};
    for (const [name, { cursor }] of this.#streams) if (cursor) cursors[name] = cursor;
    return cursors;
  }

  /**
   * After a login: first what the gap left in the streams, then the rooms' own affairs.
   * @param {Record<string, Page>} pages by stream, of all that the user is still subscribed to
   */
  connected(pages) {
    for (const [name, page] of Object.entries(pages)) this.#streams.get(name)?.resume(page);
    for (const room of [...this.#rooms.values()]) room.connected(new Set(Object.keys(pages)));
  }

  /** @param {RtmError | null} error why there will be no connection any more; null when there will */
  disconnected(error) {
    for (const stream of [...this.#streams.values()]) stream.suspend();
    for (const room of [...this.#rooms.values()]) room.disconnected(error);
  }

  /**
   * @param {string} method
   * @param {any} params
   */
  push(method, params) {
    if (method === "stream.reset") {
      this.#streams.get(params.stream)?.resume({ recovered: false, epoch: params.epoch, head: params.head, live: true });
    } else if (params.stream !== undefined) {
      this.#streams.get(params.stream)?.push({ event: method, ...params });
    } else if (params.room !== undefined) {
      this.#rooms.get(params.room)?.pushed(method, params);
    }
  }
}
