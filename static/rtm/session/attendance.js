/**
 * Who is in a room, as its member learns it: a list asked for after each arrival, notices from then on, and counts.
 * What a gap left is told when the messages of the gap are.
 */

import { Backoff } from "../connection/backoff.js";
import { Members } from "./members.js";

/** @typedef {import("./session.js").Session} Session */

/**
 * @typedef {object} AttendanceEvents
 * @property {(uid: string) => void} joined another came
 * @property {(uid: string) => void} left
 * @property {() => void} members the list or the count has changed
 * @property {(count: number) => void} count at one's own join, and when it is another
 */

export class Attendance {
  #session;
  #room;
  #tell;
  #backoff;
  #hasList = false;
  /** Whether the room's messages are told up to now, so that notices have their turn. */
  #isFollowing = false;
  #toldCount = -1;
  /** Who was here by the first list: whoever came between one's own arrival and that list is still to be told of. */
  #untold = new Set();
  /** @type {Map<string, boolean> | null} who came (true) or left before the list is there: newer than it */
  #noticed = null;
  /** @type {unknown} */
  #timer = null;
  /** Counts the arrivals: the answer to a question of an earlier one is void. */
  #life = 0;
  members = new Members();

  /**
   * @param {Session} session
   * @param {string} room
   * @param {AttendanceEvents} tell
   */
  constructor(session, room, tell) {
    this.#session = session;
    this.#room = room;
    this.#tell = tell;
    this.#backoff = new Backoff(session.runtime);
  }

  /** The messages are told: asks who is here, and follows the notices. */
  follow() {
    this.#isFollowing = true;
    this.#noticed = new Map();
    const life = ++this.#life;
    // One's own join has told the count; what a gap has left of it comes with the list.
    if (!this.#hasList) this.#tellCount(this.members.count);
    if (life !== this.#life) return;
    this.#later(this.#session.router.turnMs(), () => this.#ask(life));
  }

  /** The connection is gone, or the messages are not told yet. */
  pause() {
    this.#isFollowing = false;
    this.#untold.clear();
    this.#noticed = null;
    this.#life += 1;
    this.#session.runtime.clearTimeout(this.#timer);
  }

  /** One is no member any more. */
  reset() {
    this.pause();
    this.#hasList = false;
    this.#toldCount = -1;
    this.members = new Members();
  }

  /** @param {number} count as the server says */
  counted(count) {
    const isOther = this.members.recount(this.#session.doubtMs > 0 ? Math.max(count, this.members.uids.length) : count);
    if (!this.#isFollowing) return;
    this.#tellCount(this.members.count);
    if (isOther) this.#tell.members();
  }

  /**
   * @param {string} uid
   * @param {boolean} isIn whether they came or left
   */
  noticed(uid, isIn) {
    // Before that, the list that will be asked for has it.
    if (!this.#isFollowing) return;
    // Who leaves before the first list was here, and is in none.
    const isUntold = isIn ? this.#untold.has(uid) : !this.#hasList && this.#noticed?.get(uid) !== false;
    this.#untold.delete(uid);
    this.#noticed?.set(uid, isIn);
    const isNew = isIn ? this.members.join(uid) : this.members.leave(uid);
    if (isNew || isUntold) this.#tellOf(uid, isIn);
    if (isNew) this.#tell.members();
  }

  /** @param {number} life */
  #ask(life) {
    this.#noticed ??= new Map();
    this.#session.request("room.members", { room: this.#room }, (error, result) => {
      if (life !== this.#life) return;
      if (error) {
        if (error.retryable) this.#later(this.#backoff.next(error.retryAfterMs), () => this.#ask(life));
        return;
      }
      this.#backoff.reset();
      const noticed = this.#noticed ?? new Map();
      this.#noticed = null;
      this.#take(result, noticed, life);
    });
  }

  /**
   * @param {{members: string[], total: number}} list
   * @param {Map<string, boolean>} noticed
   * @param {number} life
   */
  #take(list, noticed, life) {
    const { joined, left } = this.members.replace(list);
    for (const [uid, isIn] of noticed) {
      if (isIn ? this.members.join(uid) : this.members.leave(uid)) {
        // It was told when it was noticed.
        const told = isIn ? left : joined;
        if (told.includes(uid)) told.splice(told.indexOf(uid), 1);
      }
    }
    const { doubtMs } = this.#session;
    if (left.length > 0 && doubtMs > 0) {
      // They may be on their way back, as we were: they have left if they are not here in the end.
      for (const uid of left.splice(0)) this.members.join(uid);
      this.#later(doubtMs, () => this.#ask(life));
    }
    const isFirst = !this.#hasList;
    this.#hasList = true;
    if (isFirst) {
      this.#untold = new Set(list.members.filter((uid) => !noticed.has(uid)));
    } else {
      for (const uid of joined) if (life === this.#life) this.#tellOf(uid, true);
      for (const uid of left) if (life === this.#life) this.#tellOf(uid, false);
    }
    if (life === this.#life) this.#tellCount(this.members.count);
    if (life === this.#life) this.#tell.members();
  }

  /**
   * @param {string} uid
   * @param {boolean} isIn
   */
  #tellOf(uid, isIn) {
    if (uid === this.#session.uid) return;
    if (isIn) this.#tell.joined(uid);
    else this.#tell.left(uid);
  }

  /** @param {number} count */
  #tellCount(count) {
    if (count === this.#toldCount) return;
    this.#toldCount = count;
    this.#tell.count(count);
  }

  /**
   * @param {number} delayMs
   * @param {() => void} action
   */
  #later(delayMs, action) {
    this.#session.runtime.clearTimeout(this.#timer);
    if (delayMs <= 0) action();
    else this.#timer = this.#session.runtime.setTimeout(action, delayMs);
  }
}
