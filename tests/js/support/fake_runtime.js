/** A runtime whose clock, network and dice belong to the test. */

/** @typedef {import("../../../static/rtm/connection/runtime.js").SocketLike} SocketLike */

/**
 * The client's end of a connection. What the client sends lands in `sent`, and in `onsend` where it is set;
 * the test plays the other end with `open`, `deliver` and `drop`.
 * @implements {SocketLike}
 */
export class FakeSocket {
  /** @type {SocketLike["onopen"]} */
  onopen = null;
  /** @type {SocketLike["onmessage"]} */
  onmessage = null;
  /** @type {SocketLike["onerror"]} */
  onerror = null;
  /** @type {SocketLike["onclose"]} */
  onclose = null;
  /** @type {any[]} */
  sent = [];
  isClosed = false;
  /** Nothing passes any more, whether the client has noticed or not. */
  isDropped = false;
  /** @type {(message: any) => void} */
  onsend = () => {};

  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /** @param {string} data */
  send(data) {
    const message = JSON.parse(data);
    this.sent.push(message);
    if (!this.isDropped) this.onsend(message);
  }

  close() {
    this.isClosed = true;
  }

  open() {
    this.onopen?.({});
  }

  /** One frame. @param {any} messages one message, or an array for a batch */
  deliver(messages) {
    this.deliverText(JSON.stringify(messages));
  }

  /** A frame as it stands. @param {string} data */
  deliverText(data) {
    if (!this.isDropped) this.onmessage?.({ data });
  }

  /** The connection ends. @param {number} [code] */
  drop(code = 1006) {
    this.isDropped = true;
    this.onclose?.({ code });
  }

  /** The methods of what was sent. @returns {string[]} */
  get methods() {
    return this.sent.map(({ method }) => method);
  }

  /** Answers the last request of this method. @param {string} method @param {any} result */
  answer(method, result) {
    this.deliver({ jsonrpc: "2.0", id: this.lastRequest(method).id, result });
  }

  /** @param {string} method @returns {any} */
  lastRequest(method) {
    const request = this.sent.filter((message) => message.method === method).at(-1);
    if (!request) throw new Error(`no ${method} was sent`);
    return request;
  }
}

export class FakeRuntime {
  #now = 0;
  #nextTimer = 1;
  /** @type {Map<number, {at: number, callback: () => void}>} */
  #timers = new Map();
  /** @type {FakeSocket[]} */
  sockets = [];
  /** @type {(socket: FakeSocket) => void} */
  onsocket = () => {};
  /** What the dice show, in [0, 1). */
  dice = 0.5;
  /** Time of day at the start, in milliseconds. */
  epochMs = 1_800_000_000_000;

  setTimeout = (/** @type {() => void} */ callback, /** @type {number} */ delayMs) => {
    const id = this.#nextTimer++;
    this.#timers.set(id, { at: this.#now + Math.max(0, delayMs), callback });
    return id;
  };

  clearTimeout = (/** @type {any} */ id) => {
    this.#timers.delete(id);
  };

  openSocket = (/** @type {string} */ url) => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    this.onsocket(socket);
    return socket;
  };

  soon = (/** @type {() => void} */ callback) => {
    this.setTimeout(callback, 0);
  };

  /** @type {((session: {wake: () => void}) => () => void) | null} */
  watch = null;
  monotonicNow = () => this.#now;
  wallNow = () => this.epochMs + this.#now;
  random = () => this.dice;
  randomBytes = (/** @type {number} */ length) => new Uint8Array(length).fill(7);

  /** @returns {FakeSocket} the newest */
  get socket() {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  get pendingTimers() {
    return this.#timers.size;
  }

  /** Time passes, timers go off one by one, promises settle in between. @param {number} ms */
  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#next();
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next.id);
      next.callback();
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Time passes and nothing runs, as in a page that the browser has frozen. @param {number} ms */
  freeze(ms) {
    this.#now += ms;
  }

  #next() {
    /** @type {{id: number, at: number, callback: () => void} | null} */
    let next = null;
    for (const [id, timer] of this.#timers) if (!next || timer.at < next.at) next = { id, ...timer };
    return next;
  }
}

/** Lets everything that waits for a settled promise run. */
export async function settle() {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
