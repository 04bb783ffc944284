/** One stay in a room: the session, what stands in the chat, and the views that show it. */

import { RostrumRTM } from "../rtm/index.js";
import { Comings } from "./comings.js";
import { Composer } from "./composer.js";
import { ConnectionView } from "./connection_view.js";
import { byId } from "./dom.js";
import { LogView } from "./log_view.js";
import { MembersView } from "./members_view.js";
import { layOut } from "./rows.js";
import { Timeline } from "./timeline.js";
import { Unsent } from "./unsent.js";

/** @typedef {import("./timeline.js").ChatMessage} ChatMessage */

/**
 * @typedef {object} Means
 * @property {import("./texts.js").Texts} texts
 * @property {import("./keep.js").Keep} keep of the browser
 */

/**
 * @typedef {object} Stay
 * @property {string} url of the WebSocket
 * @property {string} app App ID
 * @property {string} uid
 * @property {string} roomId
 * @property {string} roomName
 * @property {string | null} session of the page before a reload
 */

const HISTORY_PAGE = 50;
/** As a page of the history may have as many images, and their addresses are asked for in turn. */
const ADDRESS_MS = 60_000;
const SLOW_MS = 800;
const LOOK_AT_SPEED_MS = 3000;
const DRAW_HIDDEN_MS = 200;

export class Chat {
  #texts;
  #stay;
  #session;
  #room;
  #timeline = new Timeline();
  #comings;
  #unsent;
  #log;
  #members;
  #connection;
  #composer;
  #stops = new AbortController();
  #restart;
  /** @type {ChatMessage | null} the first message the reader has not seen */
  #firstUnread = null;
  #unread = 0;
  #isOnline = false;
  #isLoading = false;
  #hasLoaded = false;
  #isDrawing = false;
  /** Messages that waited when the connection came back, and how many of them were sent since. */
  #returned = { waiting: 0, sent: 0 };

  /**
   * @param {Stay} stay
   * @param {Means} means
   * @param {() => void} restart comes again, after the server has ended this stay
   */
  constructor(stay, means, restart) {
    const { texts, keep } = means;
    this.#stay = stay;
    this.#texts = texts;
    this.#restart = restart;
    const { url, app, uid, session } = stay;
    this.#session = new RostrumRTM.Session({ url, app, uid, session, capabilities: ["media"] });
    this.#room = new RostrumRTM.Room(this.#session, stay.roomId);
    this.#unsent = new Unsent({
      keep,
      uid,
      timeline: this.#timeline,
      room: this.#room,
      changed: (isSent) => this.#settled(isSent),
    });
    this.#comings = new Comings(this.#session.runtime, (what, who) => {
      this.#act(() => this.#timeline.notice(what, who, Date.now()));
    });
    const { signal } = this.#stops;
    this.#log = new LogView(
      {
        scroll: byId("log"),
        list: byId("messages"),
        earlier: byId("earlier"),
        empty: byId("empty"),
        jump: byId("jump"),
        jumpText: byId("jump-text"),
      },
      texts,
      {
        retry: (message) => this.#act(() => this.#unsent.send(message)),
        remove: (message) => this.#act(() => this.#unsent.remove(message)),
        earlier: () => void this.#load(),
        reachedEnd: () => this.#act(() => (this.#unread = 0)),
        addressOf: (media, isThumbnail) => this.#addressOf(media, isThumbnail),
      },
      signal,
    );
    const draftKey = `draft.${stay.roomId}`;
    this.#composer = new Composer(
      { form: byId("composer"), field: byId("message"), error: byId("message-error") },
      { send: (text) => this.#write(text), draft: (text) => keep.set(draftKey, text === "" ? null : text) },
      signal,
    );
    this.#composer.fill(keep.get(draftKey) ?? "");
    this.#members = new MembersView(
      { list: byId("people"), counts: /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-count]")]), labels: [byId("people-stat")] },
      texts,
    );
    this.#connection = new ConnectionView({ stat: byId("connection"), banner: byId("banner") }, texts);
    this.#listen(signal);
  }

  /** To present after a reload, so that nobody notices it. */
  get sessionId() {
    return this.#session.sessionId;
  }

  /** @returns {Promise<void>} rejects with an `RtmError` when we are not let in */
  async enter() {
    this.#connection.show("connecting");
    this.#showMembers();
    // Joined before there is a connection, so that what is written meanwhile waits for it.
    const arrival = Promise.all([this.#session.login(), this.#room.join()]);
    this.#unsent.restore(Date.now());
    this.#draw();
    await arrival;
    await this.#load();
  }

  focus() {
    this.#composer.focus();
  }

  /** @returns {Promise<void>} gone: the others see it at once */
  async leave() {
    this.#stops.abort();
    this.#connection.hide();
    document.title = "Rostrum";
    await this.#session.logout();
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    this.#session.on("link", (isUp) => this.#linkChanged(isUp));
    this.#session.on("state", (state, reason) => {
      if (state === "ABORTED") this.#aborted(reason);
    });
    this.#room.on("message", (entry) => this.#received(this.#timeline.add(entry, entry.sender === this.#stay.uid)));
    this.#room.on("joined", (uid) => this.#comings.joined(uid));
    this.#room.on("left", (uid) => this.#comings.left(uid));
    this.#room.on("members", () => this.#showMembers());
    this.#room.on("lost", () => this.#startOver());
    this.#room.on("removed", () => this.#ended("removed", "join_again"));
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });
    const clock = setInterval(() => this.#showSpeed(), LOOK_AT_SPEED_MS);
    signal.addEventListener("abort", () => {
      clearInterval(clock);
      this.#comings.stop();
    });
  }

  /** @param {boolean} isUp the reader is told at once, sooner than the state is another */
  #linkChanged(isUp) {
    if (this.#stops.signal.aborted) return;
    this.#isOnline = isUp;
    if (isUp) this.#arrived();
    else {
      this.#connection.show("reconnecting");
      this.#connection.showReconnecting(() => this.#session.wake());
    }
    this.#draw();
  }

  /** @param {import("../rtm/index.js").Reason} reason */
  #aborted(reason) {
    if (reason === "REMOTE_LOGIN") this.#ended("elsewhere", "use_here");
    else this.#ended("removed", "join_again");
    this.#draw();
  }

  #arrived() {
    this.#connection.show("good");
    if (this.#hasLoaded) this.#comings.returned();
    const waiting = this.#timeline.unsent.filter(({ status }) => status === "pending").length;
    this.#returned = { waiting, sent: 0 };
    if (this.#hasLoaded && waiting === 0) this.#connection.showBack(0);
  }

  /**
   * @param {string} title key of what happened
   * @param {string} action key of what can be done
   */
  #ended(title, action) {
    this.#connection.show("ended");
    this.#connection.showEnd(title, this.#texts.say(`${title}_text`), { text: action, press: this.#restart });
  }

  /** @param {boolean} isSent a message of ours was settled */
  #settled(isSent) {
    const returned = this.#returned;
    if (returned.waiting > 0) {
      returned.waiting -= 1;
      if (isSent) returned.sent += 1;
      if (returned.waiting === 0) this.#connection.showBack(returned.sent);
    }
    this.#draw();
  }

  /** @param {string} text */
  #write(text) {
    this.#unsent.write(text, Date.now());
    this.#firstUnread = null;
    this.#unread = 0;
    this.#log.goToEnd();
    this.#draw();
  }

  /** @param {ChatMessage | null} message null: it stands here already */
  #received(message) {
    if (message && !message.isOwn && (document.hidden || !this.#log.isAtEnd)) {
      if (this.#unread === 0) this.#firstUnread = message;
      this.#unread += 1;
    }
    if (this.#log.isAtEnd) this.#timeline.trim();
    this.#draw();
  }

  #looked() {
    if (!document.hidden && this.#log.isAtEnd) this.#act(() => (this.#unread = 0));
  }

  /** What was seen can not be gone on from: the newest page of the history is the new beginning. */
  #startOver() {
    this.#timeline.clear();
    this.#firstUnread = null;
    this.#hasLoaded = false;
    void this.#load();
  }

  /** The page of history before what is here. */
  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    byId("log").setAttribute("aria-busy", "true");
    const before = this.#hasLoaded ? this.#timeline.firstSeq : Infinity;
    try {
      const range = { limit: HISTORY_PAGE, order: /** @type {const} */ ("desc") };
      const { entries, more } = await this.#room.history(before === Infinity ? range : { ...range, before });
      for (const entry of entries) this.#timeline.add(entry, entry.sender === this.#stay.uid);
      this.#timeline.hasEarlier = more;
    } catch {
      // The button stays, to try again.
      this.#timeline.hasEarlier = true;
    }
    this.#hasLoaded = true;
    this.#isLoading = false;
    this.#drawNow();
    byId("log").setAttribute("aria-busy", "false");
  }

  /**
   * @param {string} media
   * @param {boolean} thumbnail
   * @returns {Promise<string>}
   */
  async #addressOf(media, thumbnail) {
    const how = { isPatient: true };
    return (await this.#session.call("media.url", { media, thumbnail }, ADDRESS_MS, how)).url;
  }

  #showMembers() {
    const { members } = this.#room;
    this.#members.show(members.uids, members.count, this.#stay.uid);
  }

  #showSpeed() {
    if (this.#isOnline) this.#connection.show(this.#session.rttMs > SLOW_MS ? "slow" : "good");
  }

  /** @param {() => void} change */
  #act(change) {
    change();
    this.#draw();
  }

  /** Soon, and once for all that changes until then. */
  #draw() {
    if (this.#isDrawing || this.#stops.signal.aborted) return;
    this.#isDrawing = true;
    // A page out of sight gets no frames, and still shows in its title how much is unread.
    if (document.hidden) setTimeout(() => this.#drawNow(), DRAW_HIDDEN_MS);
    else requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    this.#isDrawing = false;
    if (this.#stops.signal.aborted) return;
    const rows = layOut(this.#timeline.items, { firstUnread: this.#firstUnread, isOnline: this.#isOnline });
    this.#log.show(rows, {
      now: Date.now(),
      hasEarlier: this.#hasLoaded && this.#timeline.hasEarlier,
      isLoaded: this.#hasLoaded,
      unread: this.#unread,
    });
    document.title = `${this.#unread > 0 ? `(${this.#unread}) ` : ""}${this.#stay.roomName} · Rostrum`;
  }
}
