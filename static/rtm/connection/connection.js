/**
 * The life of one socket: requests and their replies, heartbeats, the watchdog on silence, acknowledgement of
 * bytes. It ends once, and then says how; it never reconnects (session.js does).
 *
 * Replies and pushes are handed on in the order of the frames, so that what a reply changes is changed before the
 * push behind it is seen: at once, or in slices where the application needs its time for them (pace.js). Bytes count
 * as received when they were handed on, so that the server's limit bounds what waits here.
 */

import { ConnectionLostError, RpcError, TimeoutError, endingOf } from "./errors.js";
import { Pace } from "./pace.js";
import { decodeFrame, encodeRequest, utf8Length } from "./protocol.js";

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
  #pace;
  /** @type {{messages: import("./protocol.js").Incoming[], next: number, bytes: number}[]} not yet handed on */
  #frames = [];
  /** @type {number | null} the code the socket was closed with; what came before it is handed on first */
  #closeCode = null;
  /** @type {import("./runtime.js").SocketLike | null} null once ended */
  #socket;
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
  #receivedBytes = 0;
  #ackedBytes = 0;
  #sentAt = 0;
  #receivedAt = 0;
  #hasGrace = false;
  #rttMs = NaN;

  /**
   * @param {string} url
   * @param {Runtime} runtime
   * @param {ConnectionHandlers} handlers
   */
  constructor(url, runtime, handlers) {
    this.#runtime = runtime;
    this.#handlers = handlers;
    this.#pace = new Pace(runtime, () => this.#step());
    const socket = runtime.openSocket(url);
    this.#socket = socket;
    // A socket that was let go may still speak: its events are told from ours by identity.
    socket.onopen = () => {
      if (socket === this.#socket) this.#opened();
    };
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#received(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
    socket.onerror = null;
    this.#arm("open", OPEN_TIMEOUT_MS, () => this.#end(endingOf(1006)));
  }

  /** Whether requests can be sent. */
  get isOpen() {
    return this.#isOpen;
  }

  /** When the last frame came, by the monotonic clock. */
  get heardAt() {
    return this.#receivedAt;
  }

  /** For work that is as long as a frame. */
  get pace() {
    return this.#pace;
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
    const timer = this.#runtime.setTimeout(() => {
      this.#pending.delete(id);
      settle(new TimeoutError(method), null);
    }, timeoutMs);
    this.#pending.set(id, { method, settle, timer });
    this.#send(encodeRequest(method, params, id));
  }

  /**
   * What is not answered.
   * @param {string} method
   * @param {object} params
   */
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
    this.#release()();
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
    let messages;
    try {
      messages = decodeFrame(frame);
    } catch {
      // Bytes of another program, or a cut frame: nothing after them can be trusted, a new connection can.
      this.#end(endingOf(1006));
      return;
    }
    this.#frames.push({ messages, next: 0, bytes: utf8Length(frame) });
    this.#pace.run();
  }

  /** @param {number} code */
  #closed(code) {
    this.#closeCode = code;
    this.#pace.run();
  }

  #step() {
    const frame = this.#frames[0];
    if (!frame) {
      if (this.#closeCode !== null) this.#end(endingOf(this.#closeCode, this.#notice));
      return false;
    }
    if (frame.next < frame.messages.length) {
      this.#take(frame.messages[frame.next++]);
      return true;
    }
    this.#frames.shift();
    this.#receivedBytes += frame.bytes;
    this.#handlers.frameEnded();
    if (this.#receivedBytes - this.#ackedBytes >= this.#ackBytes) this.#acknowledge();
    return true;
  }

  /** @param {import("./protocol.js").Incoming} message */
  #take(message) {
    if (message.kind === "push") {
      if (message.method === "session.closing") this.#announced(message.params);
      else if (message.method !== "session.alive") this.#handlers.pushed(message.method, message.params);
      return;
    }
    const pending = message.id === null ? undefined : this.#pending.get(message.id);
    if (message.id === null || !pending) return;
    this.#pending.delete(message.id);
    this.#runtime.clearTimeout(pending.timer);
    if (message.kind === "result") pending.settle(null, message.result);
    else pending.settle(new RpcError(message.error), null);
  }

  /** @param {any} notice */
  #announced(notice) {
    this.#notice = notice;
    this.#arm("closing", CLOSING_MS, () => this.#end(endingOf(1006, notice)));
  }

  /** @param {string} frame */
  #send(frame) {
    this.#sentAt = this.#runtime.monotonicNow();
    this.#socket?.send(frame);
  }

  #acknowledge() {
    this.#ackedBytes = this.#receivedBytes;
    this.notify("session.ack", { received: this.#receivedBytes });
  }

  #ping() {
    const sentAt = this.#runtime.monotonicNow();
    this.#ackedBytes = this.#receivedBytes;
    this.request("session.ping", { received: this.#receivedBytes }, SILENCE_MS, (error) => {
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
      this.#end({ code: 1006, name: "silent", reconnect: true, delayMs: null });
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
    const failCalls = this.#release();
    this.#handlers.ended(ending);
    failCalls();
  }

  /**
   * Forgets the socket, so that nothing it still says is heard.
   * @returns {() => void} fails the calls under way
   */
  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#pace.stop();
    for (const name of [...this.#timers.keys()]) this.#disarm(name);
    socket?.close(1000);
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    return () => {
      for (const { method, settle, timer } of calls) {
        this.#runtime.clearTimeout(timer);
        settle(new ConnectionLostError(method), null);
      }
    };
  }
}
