/**
 * The way to the server over any number of connections: tries for ever with back-off, logs in on each, and says when
 * there is a login and when there is none any more. What that means to the user is the session's affair.
 */

import { Backoff } from "../connection/backoff.js";
import { Connection } from "../connection/connection.js";
import { NotConnectedError } from "../connection/errors.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {import("../connection/errors.js").Ending} Ending */
/** @typedef {import("../connection/errors.js").RtmError} RtmError */

/**
 * @typedef {object} LinkOptions
 * @property {Runtime} runtime
 * @property {() => string} url asked for before each attempt
 * @property {() => object} login params of `session.login`
 * @property {(result: any) => void} up
 * @property {(method: string, params: any) => void} pushed
 * @property {() => void} frameEnded
 * @property {(ending: Ending) => void} down a connection ended; if the server lets us back, another is on its way
 * @property {(error: RtmError) => void} refused the login, for good: nothing is on its way
 */

export const LOGIN_TIMEOUT_MS = 12_000;
/** A connection that held that long was a success: the next loss starts the back-off anew. */
const STABLE_MS = 5000;
/** An attempt that young is left alone when the page or the network comes back. */
const YOUNG_MS = 2000;
/** The server removes nobody sooner after their last sign of life (docs/contract.md 6). */
const REMOVED_AFTER_MS = 30_000;

export class Link {
  #options;
  #backoff;
  /** @type {Connection | null} */
  #connection = null;
  #isUp = false;
  #upSince = 0;
  #triedAt = 0;
  #heardAt = 0;
  /** Until then other users may come back to a server that has forgotten their sessions. */
  #doubtUntil = 0;
  /** @type {unknown} runs while the next attempt is waited for */
  #retryTimer = null;

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#options = options;
    this.#backoff = new Backoff(options.runtime);
  }

  /** Whether there is a login on a connection that lives. */
  get isUp() {
    return this.#isUp;
  }

  /** When anything was last heard of the server, by the monotonic clock. */
  get heardAt() {
    return this.#isUp ? (this.#connection?.heardAt ?? this.#heardAt) : this.#heardAt;
  }

  /** For so long who is missing may be on the way back; not positive where the server knows. */
  get doubtMs() {
    return this.#doubtUntil - this.#options.runtime.monotonicNow();
  }

  get rttMs() {
    return this.#connection?.rttMs ?? NaN;
  }

  /** The slices in which this connection's frames are handed on. */
  get pace() {
    return this.#connection?.pace ?? null;
  }

  /** Tries now, unless an attempt is under way. */
  start() {
    if (this.#connection) return;
    const { runtime, url, pushed, frameEnded } = this.#options;
    runtime.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#triedAt = runtime.monotonicNow();
    /** @type {Connection} */
    // One that was released may still be heard: it is told from ours by identity.
    const connection = new Connection(url(), runtime, {
      opened: () => this.#opened(connection),
      pushed: (method, params) => {
        if (connection === this.#connection) pushed(method, params);
      },
      frameEnded: () => {
        if (connection === this.#connection) frameEnded();
      },
      ended: (ending) => {
        if (connection === this.#connection) this.#ended(ending);
      },
    });
    this.#connection = connection;
  }

  /** Neither connection nor attempt is left; calls under way fail. */
  stop() {
    this.release()?.close();
    this.#backoff.reset();
  }

  /** @returns {Connection | null} the connection, which is the caller's from now on */
  release() {
    const connection = this.#connection;
    this.#heardAt = this.heardAt;
    this.#connection = null;
    this.#isUp = false;
    this.#options.runtime.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    return connection;
  }

  /** Something came back (the page, the network): sees whether we still live, or tries now instead of waiting. */
  wake() {
    if (this.#isUp) {
      this.#connection?.probe();
    } else if (this.#retryTimer !== null) {
      this.start();
    } else if (this.#connection && this.#options.runtime.monotonicNow() - this.#triedAt > YOUNG_MS) {
      this.release()?.close();
      this.start();
    }
  }

  /**
   * One request on the connection of this moment; `settle` is called with its frame, at once where there is no login.
   * @param {string} method
   * @param {object} params
   * @param {Settle} settle
   * @param {number} timeoutMs
   */
  request(method, params, settle, timeoutMs) {
    if (this.#isUp && this.#connection) this.#connection.request(method, params, timeoutMs, settle);
    else settle(new NotConnectedError(), null);
  }

  /**
   * @param {string} method
   * @param {object} params
   */
  notify(method, params) {
    if (this.#isUp) this.#connection?.notify(method, params);
  }

  /** @param {Connection} connection */
  #opened(connection) {
    connection.request("session.login", this.#options.login(), LOGIN_TIMEOUT_MS, (error, result) => {
      if (connection !== this.#connection) return;
      if (!error) {
        connection.start({ heartbeatMs: result.heartbeat_ms, ackBytes: result.ack_bytes });
        this.#upSince = this.#options.runtime.monotonicNow();
        // Nobody is removed so soon: the server was started anew, and the others come back one by one as we do.
        const isForgotten = !result.resumed && this.#heardAt > 0 && this.#upSince - this.#heardAt < REMOVED_AFTER_MS;
        if (isForgotten) this.#doubtUntil = this.#upSince + REMOVED_AFTER_MS;
        this.#isUp = true;
        this.#options.up(result);
      } else {
        this.release()?.close();
        if (error.retryable) this.#retryIn(this.#backoff.next(error.retryAfterMs));
        else this.#options.refused(error);
      }
    });
  }

  /** @param {Ending} ending */
  #ended(ending) {
    const wasStable = this.#isUp && this.#options.runtime.monotonicNow() - this.#upSince >= STABLE_MS;
    this.release();
    if (wasStable) this.#backoff.reset();
    if (ending.reconnect) this.#retryIn(this.#backoff.next(ending.delayMs));
    this.#options.down(ending);
  }

  /** @param {number} delayMs */
  #retryIn(delayMs) {
    this.#retryTimer = this.#options.runtime.setTimeout(() => this.start(), delayMs);
  }
}
