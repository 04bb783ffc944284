/** From what stands in the chat to the rows that are drawn: days, the "New" line, notices put together. */

import { startOfDay } from "./texts.js";

/** @typedef {import("./timeline.js").Item} Item */
/** @typedef {import("./timeline.js").ChatMessage} ChatMessage */
/** @typedef {import("./timeline.js").Notice} Notice */

/** @typedef {"joined" | "left" | "returned" | "visited"} Movement */

/**
 * @typedef {(
 *   {kind: "day", key: string, ts: number} |
 *   {kind: "new", key: string} |
 *   {kind: "notice", key: string, ts: number, movements: {what: Movement, uids: string[]}[]} |
 *   {kind: "message", key: string, message: ChatMessage, isContinued: boolean, state: MessageState}
 * )} Row `isContinued`: the same person goes on, their name stands above
 */

/** @typedef {"" | "sent" | "sending" | "waiting" | "failed"} MessageState "" where there is nothing to say */

/** Messages of one person stand together that long. */
const CONTINUED_MS = 5 * 60_000;

/**
 * @param {readonly Item[]} items
 * @param {{firstUnread: ChatMessage | null, isOnline: boolean}} view
 * @returns {Row[]}
 */
export function layOut(items, { firstUnread, isOnline }) {
  /** @type {Row[]} */
  const rows = [];
  /** @type {number | null} */
  let day = null;
  const last = items.at(-1);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    const today = startOfDay(item.ts);
    if (today !== day) rows.push({ kind: "day", key: `day-${today}-${rows.length}`, ts: item.ts });
    day = today;
    if (item.kind === "notice") {
      const block = noticesFrom(items, index, today);
      index += block.length - 1;
      rows.push({ kind: "notice", key: item.key, ts: block[block.length - 1].ts, movements: movementsOf(block) });
      continue;
    }
    if (item === firstUnread) rows.push({ kind: "new", key: "new" });
    rows.push({
      kind: "message",
      key: `${item.key} ${item.sender}`,
      message: item,
      isContinued: continues(rows[rows.length - 1], item),
      state: stateOf(item, item === last, isOnline),
    });
  }
  return rows;
}

/**
 * @param {Row | undefined} row above
 * @param {ChatMessage} message
 */
function continues(row, message) {
  return (
    row?.kind === "message" &&
    row.message.sender === message.sender &&
    row.state !== "failed" &&
    message.ts - row.message.ts < CONTINUED_MS
  );
}

/**
 * @param {ChatMessage} message
 * @param {boolean} isLast
 * @param {boolean} isOnline
 * @returns {MessageState}
 */
function stateOf(message, isLast, isOnline) {
  if (message.status === "failed") return "failed";
  if (message.status === "pending") return isOnline ? "sending" : "waiting";
  return message.isOwn && isLast ? "sent" : "";
}

/**
 * @param {readonly Item[]} items
 * @param {number} start
 * @param {number} day
 * @returns {Notice[]} of one day, with nothing between them
 */
function noticesFrom(items, start, day) {
  const block = [];
  for (let index = start; index < items.length; index++) {
    const item = items[index];
    if (item.kind !== "notice" || startOfDay(item.ts) !== day) break;
    block.push(item);
  }
  return block;
}

/**
 * Who came and went, each person once: by their first and last notice of the block.
 * @param {Notice[]} block
 */
function movementsOf(block) {
  /** @type {Map<string, {first: string, last: string}>} */
  const people = new Map();
  for (const { uid, what } of block) people.set(uid, { first: people.get(uid)?.first ?? what, last: what });
  /** @type {Map<Movement, string[]>} */
  const groups = new Map();
  for (const [uid, { first, last }] of people) {
    /** @type {Movement} */
    const what = first === last ? /** @type {Movement} */ (last) : last === "joined" ? "returned" : "visited";
    groups.set(what, [...(groups.get(what) ?? []), uid]);
  }
  return [...groups].map(([what, uids]) => ({ what, uids }));
}
