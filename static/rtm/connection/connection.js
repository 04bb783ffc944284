/**
 * The life of one socket: requests and their replies, heartbeats, the watchdog on silence, acknowledgement of
 * bytes. It ends once, and then says how; it never reconnects (session.js does).
 *
 * Replies and pushes are handed on in the order of the frames, so that what a reply changes is changed before the
 * push behind it is seen: at once, or in slices where the application needs its time for them (pace.js). Bytes count
 * as received when they were handed on, so that the server's limit bounds what waits here.
 */

import { reportError } from "./emitter.js";
import { ConnectionLostError, RpcError, TimeoutError, endingOf } from "./errors.js";
import { Inbound } from "./inbound.js";
import { encodeRequest } from "./protocol.js";

/** @typedef {import("./runtime.js").Runtime} Runtime */
/** @typedef {import("./errors.js").Ending} Ending */
/** @typedef {import("./errors.js").RtmError} RtmError */
/** @typedef {(error: RtmError | null, result: any) => void} Settle called once; `result` is null with an error */
/** @typedef {"open" | "closing" | "heartbeat" | "watchdog"} TimerName */

/**
 * @typedef {object} ConnectionHandlers
 * @property {() => void} opened
 * @property {(method: string, params: any) => void} pushed
 * @property {() => void} frameEnded everything of a frame was handed on
 * @property {(ending: Ending) => void} ended called once, unless `close` was called
 */

/** How long a socket may take to open. */
const OPEN_TIMEOUT_MS = 8000;
/** Silence after which the connection is given up (docs/contract.md 6). */
const SILENCE_MS = 4000;
/** A timer that late was asleep with its page: frames that came meanwhile wait behind it. */
const LATE_MS = 1000;
/** How long the close event may take after the server announced it. */
const CLOSING_MS = 1000;
/** A connection that was heard that recently needs no probe. */
const FRESH_MS = 1000;

export class Connection {
  #runtime;
  #handlers;
  #inbound;
  /** @type {import("./runtime.js").SocketLike | null} null once ended */
  #socket = null;
  /** Whether requests can be sent. */
  #isOpen = false;
  #nextId = 1;
  /** @type {Map<number | string, {method: string, settle: Settle, timer: unknown}>} */
  #pending = new Map();
  /** @type {Map<TimerName, unknown>} */
  #timers = new Map();
  /** @type {any} the params of `session.closing`, once it came */
  #notice = null;
  #heartbeatMs = 0;
  #ackBytes = Infinity;
  #ackedBytes = 0;
  #sentAt = 0;
  #receivedAt = 0;
  #hasGrace = false;
  #lose = (code = 1006) => this.#end(endingOf(code, this.#notice));
  #rttMs = NaN;

  /**
   * @param {string} url
   * @param {Runtime} runtime
   * @param {ConnectionHandlers} handlers
   */
  constructor(url, runtime, handlers) {
    this.#runtime = runtime;
    this.#handlers = handlers;
    this.#inbound = new Inbound(runtime, {
      take: (message) => this.#take(message),
      frameEnded: () => this.#frameEnded(),
      closed: this.#lose,
    });
    let socket;
    try {
      socket = runtime.openSocket(url);
    } catch (error) {
      // No address, or one that the page's policy forbids: told to who can mend it, and lost like any other.
      reportError(error);
      this.#arm("open", 0, this.#lose);
      return;
    }
    this.#socket = socket;
    // A socket that was let go may still speak: its events are told from ours by identity.
    socket.onopen = () => {
      if (socket === this.#socket) this.#opened();
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#received(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#inbound.close(event.code);
    };
    socket.onerror = null;
    this.#arm("open", OPEN_TIMEOUT_MS, this.#lose);
  }

  /** When the last frame came, by the monotonic clock. */
  get heardAt() {
    return this.#receivedAt;
  }

  /** For work that is as long as a frame. */
  get pace() {
    return this.#inbound.pace;
  }

  /** Milliseconds the last heartbeat took there and back; NaN before the first. */
  get rttMs() {
    return this.#rttMs;
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {number} timeoutMs
   * @param {Settle} settle
   */
  request(method, params, timeoutMs, settle) {
    if (!this.#isOpen) {
      settle(new ConnectionLostError(method), null);
      return;
    }
    const id = this.#nextId++;
    const timer = this.#runtime.setTimeout(() => this.#settle(id, new TimeoutError(method), null), timeoutMs);
    this.#pending.set(id, { method, settle, timer });
    this.#send(encodeRequest(method, params, id));
  }

  /** What is not answered. @param {string} method @param {object} params */
  notify(method, params) {
    if (this.#isOpen) this.#send(encodeRequest(method, params));
  }

  /**
   * Starts heartbeats, watchdog and byte acknowledgements, with what the login's answer says.
   * @param {{heartbeatMs: number, ackBytes: number}} options
   */
  start({ heartbeatMs, ackBytes }) {
    this.#heartbeatMs = heartbeatMs;
    this.#ackBytes = ackBytes;
    this.#receivedAt = this.#runtime.monotonicNow();
    this.#armHeartbeat();
    this.#armWatchdog();
  }

  /** Asks for a sign of life now, when something (a page that woke up) makes one doubtful. */
  probe() {
    if (this.#heartbeatMs > 0 && this.#runtime.monotonicNow() - this.#receivedAt > FRESH_MS) this.#ping();
  }

  /** Lets the socket go. Calls under way fail; `ended` is not called. */
  close() {
    this.#release();
    this.#fail();
  }

  #opened() {
    this.#isOpen = true;
    this.#disarm("open");
    this.#handlers.opened();
  }

  /** @param {string} frame */
  #received(frame) {
    this.#receivedAt = this.#runtime.monotonicNow();
    this.#hasGrace = false;
    try {
      this.#inbound.add(frame);
    } catch {
      // Bytes of another program, or a cut frame: nothing after them can be trusted, a new connection can.
      this.#lose();
    }
    this.#inbound.pace.run();
  }

  #frameEnded() {
    this.#handlers.frameEnded();
    if (this.#inbound.bytes - this.#ackedBytes < this.#ackBytes) return;
    this.#ackedBytes = this.#inbound.bytes;
    this.notify("session.ack", { received: this.#ackedBytes });
  }

  /** @param {import("./protocol.js").Incoming} message */
  #take({ id, method, params = {}, error, result }) {
    if (method === "session.closing") {
      this.#announced(params);
    } else if (method) {
      if (method !== "session.alive") this.#handlers.pushed(method, params);
    } else if (error) {
      const refusal = new RpcError(error);
      if (id) this.#settle(id, refusal, null);
      // What could not be read is one of these, and the others do not wait for it.
      else this.#fail(() => refusal);
    } else if (id) {
      this.#settle(id, null, result);
    }
  }

  /** @param {any} notice */
  #announced(notice) {
    this.#notice = notice;
    this.#arm("closing", CLOSING_MS, this.#lose);
  }

  /** @param {string} frame */
  #send(frame) {
    this.#sentAt = this.#runtime.monotonicNow();
    this.#socket?.send(frame);
  }

  #ping() {
    const sentAt = this.#runtime.monotonicNow();
    this.#ackedBytes = this.#inbound.bytes;
    this.request("session.ping", { received: this.#inbound.bytes }, SILENCE_MS, (error) => {
      if (!error) this.#rttMs = this.#runtime.monotonicNow() - sentAt;
    });
  }

  #armHeartbeat() {
    const quietMs = this.#runtime.monotonicNow() - this.#sentAt;
    this.#arm("heartbeat", Math.max(0, this.#heartbeatMs - quietMs), () => {
      if (this.#runtime.monotonicNow() - this.#sentAt >= this.#heartbeatMs) this.#ping();
      this.#armHeartbeat();
    });
  }

  #armWatchdog() {
    const now = this.#runtime.monotonicNow();
    const waitMs = Math.max(0, this.#receivedAt + SILENCE_MS - now);
    this.#arm("watchdog", waitMs, () => this.#watch(now + waitMs));
  }

  /** @param {number} dueAt when the timer was to go off */
  #watch(dueAt) {
    const now = this.#runtime.monotonicNow();
    if (now - this.#receivedAt < SILENCE_MS) {
      this.#armWatchdog();
    } else if (now - dueAt > LATE_MS && !this.#hasGrace) {
      this.#hasGrace = true;
      this.#ping();
      this.#arm("watchdog", SILENCE_MS, () => this.#watch(now + SILENCE_MS));
    } else {
      this.#end({ ...endingOf(1006), name: "silent" });
    }
  }

  /**
   * @param {TimerName} name
   * @param {number} delayMs
   * @param {() => void} callback
   */
  #arm(name, delayMs, callback) {
    this.#disarm(name);
    this.#timers.set(name, this.#runtime.setTimeout(callback, delayMs));
  }

  /** @param {TimerName} name */
  #disarm(name) {
    this.#runtime.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** @param {Ending} ending */
  #end(ending) {
    this.#release();
    this.#handlers.ended(ending);
    this.#fail();
  }

  /** Forgets the socket, so that nothing it still says is heard. */
  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#inbound.pace.stop();
    for (const name of [...this.#timers.keys()]) this.#disarm(name);
    socket?.close(1000);
  }

  /** All calls under way. @param {(method: string) => RtmError} [errorOf] */
  #fail(errorOf = (method) => new ConnectionLostError(method)) {
    for (const [id, { method }] of [...this.#pending]) this.#settle(id, errorOf(method), null);
  }

  /** @param {number | string} id @param {RtmError | null} error @param {any} result */
  #settle(id, error, result) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    this.#runtime.clearTimeout(pending.timer);
    pending.settle(error, result);
  }
}
