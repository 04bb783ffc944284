/** What a client shares with its channels and invitations: its session, its errors, its log. */

import { apiError, translated } from "./errors.js";
import { Log } from "./logs.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {import("./flavours.js").Flavour} Flavour */
/** @typedef {import("./checks.js").Fault} Fault */
/** @typedef {import("../session/room.js").Room} Room */
/** @typedef {import("./channel.js").RtmChannel} RtmChannel */
/** @typedef {import("./invitations.js").InvitationProgress} InvitationProgress */

export class Context {
  /** @type {{uid: string, token: string | null} | null} who logged in last */
  user = null;
  /** @type {Session | null} of the login; a new one for each */
  session = null;
  /** @type {Map<string, {owner: RtmChannel, room: Room, isIn: boolean}>} by id: in, or on their way in */
  channels = new Map();
  /** @type {Map<string, InvitationProgress>} those that are open */
  invitations = new Map();

  /**
   * @param {Flavour} flavour
   * @param {import("./logs.js").ApiRuntime} runtime
   * @param {string} app
   * @param {() => string} server its address; throws while there is none
   */
  constructor(flavour, runtime, app, server) {
    this.flavour = flavour;
    this.log = new Log(runtime, server, () => this.user && { app, ...this.user }, () => this.isLoggedIn);
  }

  /** @param {Session | null} session of a login that begins, null at the end of one */
  renew(session) {
    this.session = session;
    this.channels.clear();
  }

  /** The session is over, and with it what it has invited to. */
  endInvitations() {
    for (const invitation of [...this.invitations.values()]) invitation.lose();
  }

  /** @returns {import("../session/session.js").State} */
  get state() {
    return this.session?.state ?? "DISCONNECTED";
  }

  get isLoggedIn() {
    return this.state === "CONNECTED" || this.state === "RECONNECTING";
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
    throw this.error(group, name, "log in first");
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
