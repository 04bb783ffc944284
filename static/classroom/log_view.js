/** Draws the chat: rows into a list, following its end unless the reader has scrolled up. */

import { fileBubble } from "./file_view.js";
import { icon, make, reconcile, withLinks } from "./dom.js";
import { initialsOf, nameOf, tintOf } from "./names.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").MessageState} MessageState */
/** @typedef {import("./timeline.js").ChatMessage} ChatMessage */

/** So near the end still counts as reading along. */
const AT_END_PX = 48;

/** @type {Record<Exclude<MessageState, "" | "failed">, [sign: string, text: string]>} */
const STATES = {
  sent: ["checks", "sent"],
  sending: ["clock", "sending"],
  waiting: ["clock", "waits"],
};

export class LogView {
  #nodes;
  #texts;
  #actions;
  /** @type {Map<string, {content: string, node: HTMLElement}>} */
  #drawn = new Map();
  #followsEnd = true;

  /**
   * @param {{scroll: HTMLElement, list: HTMLElement, earlier: HTMLButtonElement, empty: HTMLElement,
   *   jump: HTMLButtonElement, jumpText: HTMLElement}} nodes
   * @param {import("./texts.js").Texts} texts
   * @param {{retry: (message: ChatMessage) => void, remove: (message: ChatMessage) => void,
   *   earlier: () => void, reachedEnd: () => void, addressOf: import("./file_view.js").AddressOf}} actions
   * @param {AbortSignal} signal ends it
   */
  constructor(nodes, texts, actions, signal) {
    this.#nodes = nodes;
    this.#texts = texts;
    this.#actions = actions;
    nodes.list.replaceChildren();
    nodes.earlier.addEventListener("click", () => actions.earlier(), { signal });
    nodes.jump.addEventListener("click", () => this.goToEnd(), { signal });
    nodes.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true, signal });
    const resized = new ResizeObserver(() => {
      if (this.#followsEnd) this.#showEnd();
    });
    resized.observe(nodes.scroll);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  /** Whether the reader sees what comes. */
  get isAtEnd() {
    return this.#followsEnd;
  }

  /**
   * @param {Row[]} rows
   * @param {{now: number, isLoaded: boolean, hasEarlier: boolean, unread: number}} view
   */
  show(rows, { now, isLoaded, hasEarlier, unread }) {
    const { scroll, list, earlier, empty, jump, jumpText } = this.#nodes;
    const anchor = this.#followsEnd ? null : this.#firstVisible();
    const offset = anchor ? anchor.offsetTop - scroll.scrollTop : 0;
    reconcile(list, rows, this.#drawn, (row, before) => this.#draw(row, before, now));
    earlier.hidden = !hasEarlier;
    empty.hidden = !isLoaded || rows.some(({ kind }) => kind === "message");
    jump.hidden = this.#followsEnd;
    jumpText.textContent = unread > 0 ? this.#texts.say("unread", { count: unread }) : this.#texts.say("newest");
    if (this.#followsEnd) this.#showEnd();
    else if (anchor?.isConnected) scroll.scrollTop = anchor.offsetTop - offset;
  }

  goToEnd() {
    this.#followsEnd = true;
    this.#nodes.jump.hidden = true;
    this.#showEnd();
    this.#actions.reachedEnd();
  }

  #showEnd() {
    const { scroll } = this.#nodes;
    scroll.scrollTop = scroll.scrollHeight;
  }

  #scrolled() {
    const { scroll, jump } = this.#nodes;
    const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < AT_END_PX;
    if (isAtEnd && !this.#followsEnd) this.#actions.reachedEnd();
    this.#followsEnd = isAtEnd;
    jump.hidden = isAtEnd;
  }

  /** @returns {HTMLElement | null} the first message in sight: it stays where it is, whatever comes above it */
  #firstVisible() {
    const { scroll, list } = this.#nodes;
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".msg"))) {
      if (node.offsetTop + node.offsetHeight > scroll.scrollTop) return node;
    }
    return null;
  }

  /**
   * @param {Row} row
   * @param {HTMLElement | null} before
   * @param {number} now
   */
  #draw(row, before, now) {
    switch (row.kind) {
      case "day":
        return make("li", { class: "day" }, this.#texts.day(row.ts, now));
      case "new":
        return make("li", { class: "day new" }, this.#texts.say("new"));
      case "notice":
        return this.#drawNotice(row);
      case "message":
        return this.#drawMessage(row, before);
    }
  }

  /** @param {Extract<Row, {kind: "notice"}>} row */
  #drawNotice({ movements, ts }) {
    const words = movements.map(({ what, uids }) =>
      this.#texts.say(what, { count: uids.length, names: this.#texts.list(uids.map(nameOf)) }),
    );
    return make("li", { class: "note" }, make("span", { dir: "auto" }, words.join(" · ")), " ", this.#time(ts));
  }

  /**
   * A message that is drawn again only changes what can change of it, so that a screen reader does not read
   * it twice.
   * @param {Extract<Row, {kind: "message"}>} row
   * @param {HTMLElement | null} before
   */
  #drawMessage({ message, isContinued, state }, before) {
    const node = before ?? this.#newMessage(message);
    node.className = "msg";
    node.classList.toggle("me", message.isOwn);
    node.classList.toggle("cont", isContinued);
    node.classList.toggle("sending", state === "sending" || state === "waiting");
    node.classList.toggle("failed", state === "failed");
    const [who, , stateLine] = /** @type {HTMLElement[]} */ ([...(node.lastElementChild?.children ?? [])]);
    who.lastElementChild?.replaceWith(this.#time(message.ts));
    stateLine.hidden = state === "";
    stateLine.className = state === "failed" ? "state fail" : "state";
    stateLine.replaceChildren(...this.#stateParts(message, state));
    return node;
  }

  /** @param {ChatMessage} message */
  #newMessage(message) {
    const name = nameOf(message.sender);
    const who = message.isOwn
      ? make("div", { class: "who" }, make("span", { class: "sr" }, this.#texts.say("you")), this.#time(message.ts))
      : make("div", { class: "who" }, make("b", { class: "cut", dir: "auto", title: name }, name), this.#time(message.ts));
    const body = make("div", {}, who, this.#bubble(message), make("div", { class: "state" }));
    if (message.isOwn) return make("li", {}, body);
    const tint = `ava a${tintOf(message.sender)}`;
    return make("li", {}, make("span", { class: tint, "aria-hidden": "true" }, initialsOf(name)), body);
  }

  /** @param {ChatMessage} message */
  #bubble({ text, dataBytes, file }) {
    if (file) return fileBubble(file, text, this.#texts, this.#actions.addressOf);
    const data = dataBytes > 0 ? [make("span", { class: "muted" }, this.#texts.say("data", { count: dataBytes }))] : [];
    const parts = text === "" ? data : [...data, ...(data.length > 0 ? [" "] : []), ...withLinks(text)];
    return make("div", { class: "bub", dir: "auto" }, ...parts);
  }

  /**
   * @param {ChatMessage} message
   * @param {MessageState} state
   * @returns {(Node | string)[]}
   */
  #stateParts(message, state) {
    if (state === "") return [];
    if (state !== "failed") {
      const [sign, text] = STATES[state];
      return [icon(sign, "i-xs"), this.#texts.say(text)];
    }
    const retry = make("button", { class: "link", type: "button" }, this.#texts.say("retry"));
    const remove = make("button", { class: "link", type: "button" }, this.#texts.say("delete"));
    retry.addEventListener("click", () => this.#actions.retry(message));
    remove.addEventListener("click", () => this.#actions.remove(message));
    return [icon("warn", "i-xs"), this.#texts.say("failed"), retry, remove];
  }

  /** @param {number} ts */
  #time(ts) {
    return make("time", { datetime: new Date(ts).toISOString() }, this.#texts.time(ts));
  }
}
