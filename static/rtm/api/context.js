/** What a client shares with its channels and invitations: its session, its errors, its log. */

import { RtmError } from "../connection/errors.js";
import { apiError, translated } from "./errors.js";
import { Log } from "./logs.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("./flavours.js").Flavour} Flavour */
/** @typedef {import("./checks.js").Fault} Fault */
/** @typedef {import("../session/room.js").Room} Room */
/** @typedef {import("./messages.js").WireMessage} WireMessage */
/** @typedef {import("./channel.js").RtmChannel} RtmChannel */
/** @typedef {import("./invitations.js").InvitationProgress} InvitationProgress */
/** @typedef {import("../connection/transfer.js").Transfer} Transfer */

export class Context {
  /** @type {{uid: string, token: string | null} | null} who logged in last */
  user = null;
  /** @type {Session | null} of the login; a new one for each */
  session = null;
  /** @type {Map<string, {owner: RtmChannel, room: Room, isIn: boolean}>} by id: in, or on their way in */
  channels = new Map();
  /** @type {Map<string, InvitationProgress>} those that are open */
  invitations = new Map();
  /** @type {Set<Transfer>} those that are under way */
  transfers = new Set();
  /** Where the socket is connected to. */
  server = "";
  /** @type {Promise<unknown> | null} runs while a message that is to be sent is being read */
  #reading = null;

  /**
   * @param {Flavour} flavour
   * @param {import("../connection/runtime.js").Runtime} runtime
   * @param {string} app
   * @param {() => string} server its address; throws while there is none
   */
  constructor(flavour, runtime, app, server) {
    this.flavour = flavour;
    this.runtime = runtime;
    this.log = new Log(runtime, server, () => this.user && { app, ...this.user }, () => this.isLoggedIn);
  }

  /** @param {Session | null} session of a login that begins, null at the end of one */
  renew(session) {
    this.session = session;
    this.channels.clear();
  }

  /** The session is over, and with it what it has invited to, or has not brought to its end. */
  end() {
    for (const invitation of [...this.invitations.values()]) invitation.lose();
    this.stopTransfers();
  }

  /** While there is a connection, the server forgets what has come of them. */
  stopTransfers() {
    for (const transfer of this.transfers) transfer.stop(new RtmError("aborted"));
  }

  /**
   * Has messages sent in the order of the calls, though one of them has to be read first.
   * @template Result
   * @param {WireMessage | Promise<WireMessage>} message
   * @param {(message: WireMessage) => Result | Promise<Result>} send called at once, where nothing is being read
   * @returns {Promise<Result>}
   */
  async inTurn(message, send) {
    const before = this.#reading;
    if (!before && !("then" in message)) return send(message);
    const read = Promise.all([message, before]);
    const done = read.catch(() => {});
    this.#reading = done;
    try {
      return send((await read)[0]);
    } finally {
      if (this.#reading === done) this.#reading = null;
    }
  }

  /** @returns {import("../session/session.js").State} */
  get state() {
    return this.session?.state ?? "DISCONNECTED";
  }

  get isLoggedIn() {
    return this.session?.isLoggedIn === true;
  }

  /**
   * @param {string} group
   * @param {string} name
   * @param {string} detail
   * @param {unknown} [cause]
   */
  error(group, name, detail, cause) {
    return apiError(this.flavour.errors, group, name, detail, cause);
  }

  /**
   * Throws the first of what checks have found.
   * @param {string} group
   * @param {(Fault | null)[]} faults
   */
  check(group, ...faults) {
    const fault = faults.find((each) => each !== null);
    if (fault) throw this.error(group, ...fault);
  }

  /**
   * The session to make a call with.
   * @param {string} group
   * @returns {Session}
   */
  loggedIn(group) {
    if (this.session && this.isLoggedIn) return this.session;
    const name = group.endsWith("MEDIA_ERR") ? "NOT_LOGGED_IN" : "USER_NOT_LOGGED_IN";
    throw this.error(group, name, "not logged in");
  }

  /**
   * A method that asks the server.
   * @template Result
   * @param {string} group
   * @param {Fault | null} early what is wrong, logged in or not
   * @param {(Fault | null)[]} late what is told only to who is logged in, in this order
   * @param {(session: Session) => Result | Promise<Result>} work
   * @returns {Promise<Result>}
   */
  ask(group, early, late, work) {
    return this.settle(group, async () => {
      this.check(group, early);
      const session = this.loggedIn(group);
      this.check(group, ...late);
      return work(session);
    });
  }

  /**
   * A method of the application's: whatever goes wrong is an error of its group.
   * @template Result
   * @param {string} group
   * @param {() => Promise<Result>} work begins at once
   * @returns {Promise<Result>}
   */
  async settle(group, work) {
    try {
      return await work();
    } catch (error) {
      const failure = translated(this.flavour.errors, group, error);
      this.log.write("warn", failure.message);
      throw failure;
    }
  }
}
