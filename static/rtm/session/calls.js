/**
 * Calls that outlive a connection: they wait for one, are made again where one is lost under them, and again after
 * a failure that passes. Those of one noun ("peer", "room"...) go out in their order: behind one that waits, the
 * others of its lane wait too. What a lost session had to be given back goes before all of them.
 */

import { Backoff } from "../connection/backoff.js";
import { RtmError, TimeoutError } from "../connection/errors.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/connection.js").Settle} Settle */
/** @typedef {(method: string, params: object, settle: Settle, timeoutMs: number) => void} Send */

/**
 * @typedef {object} Call
 * @property {number} number in the order of calling; a restoring one's comes before all others
 * @property {string} method
 * @property {object} params
 * @property {number} dueAt by the monotonic clock; Infinity for what restores
 * @property {boolean} isRestoring made on one connection only, and until the server takes it
 * @property {boolean} isPatient made again also when it was made too often
 * @property {Settle} settle
 * @property {unknown} timer runs while it waits
 * @property {boolean} isSettled
 */

/**
 * @typedef {object} CallOptions
 * @property {boolean} [isPatient] waits also where it is made too often
 * @property {(result: any) => void} [apply] called with the answer's frame, before anything behind it is handed on
 */

/**
 * @typedef {object} Lane
 * @property {Call[]} waiting ascending by number
 * @property {Set<Call>} underWay
 * @property {unknown} pause runs while a failure is waited out
 * @property {Backoff} backoff
 */

/** After these errors a call is made again; any other is for who called. */
const PASSING = ["unavailable", "overloaded", "expired", "timeout"];
/** Calls that wait at once. More are refused: none of them would be in time. */
const LIMIT = 1000;
const LONGEST_PAUSE_MS = 4000;
const ATTEMPT_MS = 10_000;

export class Calls {
  #runtime;
  #send;
  /** @type {Map<string, Lane>} by noun */
  #lanes = new Map();
  #isUp = false;
  #made = 0;
  #waiting = 0;

  /**
   * @param {Runtime} runtime
   * @param {Send} send
   */
  constructor(runtime, send) {
    this.#runtime = runtime;
    this.#send = send;
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {number} timeoutMs for all attempts together
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  make(method, params, timeoutMs, { isPatient = false, apply } = {}) {
    if (this.#waiting >= LIMIT) return Promise.reject(new RtmError("too_often", "too many", true));
    return new Promise((resolve, reject) => {
      this.#place({
        number: ++this.#made,
        method,
        params,
        dueAt: this.#runtime.monotonicNow() + timeoutMs,
        isRestoring: false,
        isPatient,
        settle: (error, result) => {
          if (error) return reject(error);
          apply?.(result);
          resolve(result);
        },
        timer: null,
        isSettled: false,
      });
    });
  }

  /**
   * Gives the server back what it has forgotten; is tried until it is taken or refused for good.
   * @param {string} method
   * @param {object} params
   * @param {Settle} settle not called when the connection is lost before: there will be another restoring
   */
  restore(method, params, settle) {
    this.#place({
      number: ++this.#made - 2 ** 53,
      method,
      params,
      dueAt: Infinity,
      isRestoring: true,
      isPatient: true,
      settle,
      timer: null,
      isSettled: false,
    });
  }

  /** There is a connection: what waits goes out, in its order. */
  open() {
    this.#isUp = true;
    for (const lane of [...this.#lanes.values()]) this.#pump(lane);
  }

  /** The connection is gone, and with it the need of what restores; the others wait for another. */
  close() {
    this.#isUp = false;
    for (const lane of this.#lanes.values()) {
      this.#runtime.clearTimeout(lane.pause);
      lane.pause = null;
      this.#waiting -= lane.waiting.length;
      lane.waiting = lane.waiting.filter(({ isRestoring }) => !isRestoring);
      this.#waiting += lane.waiting.length;
    }
  }

  /**
   * None of these will be made, or heard of any more.
   * @param {RtmError} error
   * @param {string} [method] absent: of all methods
   */
  fail(error, method) {
    for (const lane of [...this.#lanes.values()]) {
      for (const call of [...lane.waiting, ...lane.underWay]) {
        if (call.isSettled || (method !== undefined && call.method !== method)) continue;
        call.isSettled = true;
        this.#take(lane, call);
        call.settle(error, null);
      }
    }
  }

  /** @param {string} method */
  #lane(method) {
    const noun = method.slice(0, method.indexOf("."));
    let lane = this.#lanes.get(noun);
    if (!lane) {
      lane = { waiting: [], underWay: new Set(), pause: null, backoff: new Backoff(this.#runtime, LONGEST_PAUSE_MS) };
      this.#lanes.set(noun, lane);
    }
    return lane;
  }

  /** @param {Call} call */
  #place(call) {
    const lane = this.#lane(call.method);
    let index = lane.waiting.length;
    while (index > 0 && lane.waiting[index - 1].number > call.number) index -= 1;
    lane.waiting.splice(index, 0, call);
    this.#waiting += 1;
    if (call.dueAt < Infinity) {
      call.timer = this.#runtime.setTimeout(() => {
        this.#take(lane, call);
        call.settle(new TimeoutError(call.method), null);
      }, this.#leftMs(call));
    }
    this.#pump(lane);
  }

  /**
   * @param {Lane} lane
   * @param {Call} call
   */
  #take(lane, call) {
    const index = lane.waiting.indexOf(call);
    if (index < 0) return;
    lane.waiting.splice(index, 1);
    this.#waiting -= 1;
    this.#runtime.clearTimeout(call.timer);
  }

  /** @param {Lane} lane */
  #pump(lane) {
    while (this.#isUp && lane.pause === null && lane.waiting.length > 0) {
      const call = lane.waiting[0];
      if (!call.isRestoring && isRestoring(lane)) return;
      this.#take(lane, call);
      lane.underWay.add(call);
      const settle = /** @type {Settle} */ ((error, result) => this.#settled(lane, call, error, result));
      this.#send(call.method, call.params, settle, Math.min(ATTEMPT_MS, this.#leftMs(call)));
    }
  }

  /**
   * @param {Lane} lane
   * @param {Call} call
   * @param {RtmError | null} error
   * @param {any} result
   */
  #settled(lane, call, error, result) {
    lane.underWay.delete(call);
    if (call.isSettled) return;
    if (error?.name === "connection_lost" || error?.name === "not_connected") {
      if (!call.isRestoring) this.#place(call);
      return;
    }
    const comesAgain = error && (PASSING.includes(error.name) || (call.isPatient && error.retryable));
    const pauseMs = comesAgain ? lane.backoff.next(error.retryAfterMs) : 0;
    if (comesAgain && pauseMs < this.#leftMs(call)) {
      lane.pause ??= this.#runtime.setTimeout(() => {
        lane.pause = null;
        this.#pump(lane);
      }, pauseMs);
      this.#place(call);
      return;
    }
    if (!error) lane.backoff.reset();
    call.isSettled = true;
    call.settle(error, result);
    this.#pump(lane);
  }

  /** @param {Call} call */
  #leftMs(call) {
    return Math.max(0, call.dueAt - this.#runtime.monotonicNow());
  }
}

/** @param {Lane} lane */
function isRestoring({ underWay }) {
  for (const call of underWay) if (call.isRestoring && !call.isSettled) return true;
  return false;
}
