/** Who is here: oneself first, the others by name. */

import { make, reconcile } from "./dom.js";
import { initialsOf, nameOf, tintOf } from "./names.js";

/** @typedef {{key: string, uid: string, isMe: boolean} | {key: string, more: number}} MemberRow */

export class MembersView {
  #nodes;
  #texts;
  /** @type {Map<string, {content: string, node: HTMLElement}>} */
  #drawn = new Map();

  /**
   * @param {{list: HTMLElement, counts: HTMLElement[], labels: HTMLElement[]}} nodes `counts` show the bare
   *   number, `labels` are named by it in words
   * @param {import("./texts.js").Texts} texts
   */
  constructor(nodes, texts) {
    this.#nodes = nodes;
    this.#texts = texts;
    nodes.list.replaceChildren();
  }

  /**
   * @param {string[]} uids those that are known
   * @param {number} count all
   * @param {string} me
   */
  show(uids, count, me) {
    const { collator } = this.#texts;
    const others = uids.filter((uid) => uid !== me);
    others.sort((a, b) => collator.compare(nameOf(a), nameOf(b)) || (a < b ? -1 : 1));
    /** @type {MemberRow[]} */
    const rows = [me, ...others].map((uid) => ({ key: uid, uid, isMe: uid === me }));
    const more = count - rows.length;
    if (more > 0) rows.push({ key: "more", more });
    reconcile(this.#nodes.list, rows, this.#drawn, (row) => this.#draw(row));
    const total = Math.max(count, rows.length - (more > 0 ? 1 : 0));
    for (const node of this.#nodes.counts) node.textContent = String(total);
    for (const node of this.#nodes.labels) node.setAttribute("aria-label", this.#texts.say("here", { count: total }));
  }

  /** @param {MemberRow} row */
  #draw(row) {
    if ("more" in row) return make("li", { class: "person meta" }, this.#texts.say("more_here", { count: row.more }));
    const name = nameOf(row.uid);
    const picture = make(
      "span",
      { class: `ava a${tintOf(row.uid)}`, "aria-hidden": "true" },
      initialsOf(name),
      make("span", { class: "st" }),
    );
    const label = make("span", { class: "cut", dir: "auto", title: name }, name);
    const you = row.isMe ? [make("span", { class: "muted" }, this.#texts.say("you_mark"))] : [];
    return make("li", { class: "person" }, picture, make("div", { class: "name grow" }, label, ...you));
  }
}
