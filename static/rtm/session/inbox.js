/**
 * The user's own stream: peer messages and invitations. Its cursor is kept by the server, which is told after each
 * frame up to where everything was handed to the application (docs/protocol.md, rule 8).
 */

import { streamOf } from "./stream.js";
import { isMessage } from "./terms.js";

/** @typedef {import("../connection/protocol.js").Entry} Entry */

export class Inbox {
  #session;
  #stream;
  /** What the server was told last on this connection. */
  #acknowledged = 0;
  /** Up to this seq entries came while the user was away. */
  #awayUntil = 0;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.#session = session;
    this.#stream = streamOf(session, `inbox:${session.uid}`, {
      isSparse: true,
      deliver: (entry) => this.#deliver(entry),
      lost: () => {},
      live: () => session.router.caughtUp(this.#stream),
    });
    session.router.addStream(this.#stream);
  }

  /**
   * @param {import("./stream.js").Page} page what was not acknowledged
   * @param {boolean} isResumed
   */
  connected(page, isResumed) {
    const seq = this.#stream.cursor?.seq ?? 0;
    // Entries that were taken before are acknowledged again: the last one telling was lost.
    this.#acknowledged = page.entries?.length ? page.entries[0].seq - 1 : seq;
    this.#awayUntil = isResumed ? Math.min(this.#awayUntil, page.head) : page.head;
    this.#stream.resume(page);
  }

  /** Tells the server what has been handed over since it was told last. */
  acknowledge() {
    const seq = this.#stream.cursor?.seq ?? 0;
    if (seq <= this.#acknowledged) return;
    this.#acknowledged = seq;
    this.#session.notify("inbox.ack", { seq });
  }

  /** @param {Entry} entry */
  #deliver(entry) {
    if (isMessage(entry.event)) this.#session.peers.received(entry, entry.seq <= this.#awayUntil);
    else if (entry.event === "invitation.changed") this.#session.invitations.received(entry.body);
  }
}
