/** The state of the connection in the top bar, always, and in a banner where it asks for patience or a decision. */

import { icon, make } from "./dom.js";

/** @typedef {"connecting" | "good" | "slow" | "reconnecting" | "ended"} Condition */

/** A loss that is over sooner is not worth a banner. */
const BANNER_AFTER_MS = 800;
const BACK_MS = 5000;

/** @type {Record<Condition, {tone: string, bars: number, text: string}>} `bars` 0: the icon of no connection */
const LOOKS = {
  connecting: { tone: "weak", bars: 2, text: "connecting" },
  good: { tone: "good", bars: 4, text: "good_connection" },
  slow: { tone: "weak", bars: 2, text: "slow_connection" },
  reconnecting: { tone: "bad", bars: 0, text: "reconnecting" },
  ended: { tone: "bad", bars: 0, text: "not_connected" },
};

export class ConnectionView {
  #nodes;
  #texts;
  /** @type {Condition | null} */
  #condition = null;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {{stat: HTMLElement, banner: HTMLElement}} nodes
   * @param {import("./texts.js").Texts} texts
   */
  constructor(nodes, texts) {
    this.#nodes = nodes;
    this.#texts = texts;
  }

  /** @param {Condition} condition */
  show(condition) {
    if (condition === this.#condition) return;
    this.#condition = condition;
    const { tone, bars, text } = LOOKS[condition];
    const words = this.#texts.say(text);
    this.#nodes.stat.className = `stat ${tone}`;
    this.#nodes.stat.title = words;
    this.#nodes.stat.replaceChildren(
      bars > 0 ? signal(bars) : icon("off-line"),
      make("span", { class: "label" }, words),
    );
  }

  /** @param {() => void} tryNow */
  showReconnecting(tryNow) {
    this.#later(BANNER_AFTER_MS, () =>
      this.#banner("alert", icon("retry", "spin"), "reconnecting", this.#texts.say("keep_writing"), {
        text: "try_now",
        press: tryNow,
      }),
    );
  }

  /** @param {number} sent messages that had waited */
  showBack(sent) {
    const wasShown = !this.#nodes.banner.hidden;
    this.hide();
    if (!wasShown && sent === 0) return;
    this.#banner("status", icon("check"), "back", sent > 0 ? this.#texts.say("messages_sent", { count: sent }) : "");
    this.#later(BACK_MS, () => this.hide());
  }

  /**
   * @param {string} title key
   * @param {string} text
   * @param {{text: string, press: () => void}} action key of its word, and what it does
   */
  showEnd(title, text, action) {
    this.hide();
    this.#banner("alert", icon("off-line"), title, text, action);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#nodes.banner.hidden = true;
    this.#nodes.banner.replaceChildren();
  }

  /**
   * @param {number} delayMs
   * @param {() => void} action
   */
  #later(delayMs, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delayMs);
  }

  /**
   * @param {"alert" | "status"} role
   * @param {Element} sign
   * @param {string} title key
   * @param {string} text
   * @param {{text: string, press: () => void}} [action]
   */
  #banner(role, sign, title, text, action) {
    const words = make("div", { class: "grow", role }, make("strong", {}, this.#texts.say(title)), text);
    const parts = [sign, words];
    if (action) {
      const button = make("button", { class: "btn small", type: "button" }, this.#texts.say(action.text));
      button.addEventListener("click", action.press);
      parts.push(button);
    }
    this.#nodes.banner.replaceChildren(...parts);
    this.#nodes.banner.hidden = false;
  }
}

/** @param {number} bars of four */
function signal(bars) {
  const parts = [0, 1, 2, 3].map((index) => make("i", { class: index < bars ? "" : "off" }));
  return make("span", { class: "signal", "aria-hidden": "true" }, ...parts);
}
