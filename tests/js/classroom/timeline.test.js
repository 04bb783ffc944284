import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { layOut } from "../../../static/classroom/rows.js";
import { Timeline } from "../../../static/classroom/timeline.js";

/** @typedef {import("../../../static/classroom/timeline.js").ChatMessage} ChatMessage */

const NOON = new Date(2030, 4, 6, 12).getTime();
const MINUTE = 60_000;

/** @type {Timeline} */
let timeline;

beforeEach(() => {
  timeline = new Timeline();
});

/** @param {number} seq @param {{sender?: string, ts?: number, id?: string, body?: any}} [more] */
function entry(seq, { sender = "ann", ts = NOON + seq, id = `m${seq}`, body = { type: "TEXT", text: `text ${seq}` } } = {}) {
  return { stream: "room:math", seq, event: "room.sent", sender, message_id: id, ts, body };
}

/** @param {{firstUnread?: ChatMessage | null, isOnline?: boolean}} [view] */
function rows({ firstUnread = null, isOnline = true } = {}) {
  return layOut(timeline.items, { firstUnread, isOnline });
}

/** What stands in the chat, in short. @param {{firstUnread?: ChatMessage | null, isOnline?: boolean}} [view] */
function read(view) {
  return rows(view).map((row) => {
    if (row.kind === "message") return `${row.message.text}${row.isContinued ? " +" : ""}${row.state && ` (${row.state})`}`;
    if (row.kind === "notice") return row.movements.map(({ what, uids }) => `${uids.join(",")} ${what}`).join("; ");
    return row.kind;
  });
}

test("messages stand in the room's order, whatever order they come in, each once", () => {
  for (const seq of [5, 6, 5]) timeline.add(entry(seq), false);
  for (const seq of [4, 3, 5]) timeline.add(entry(seq), false);
  assert.deepEqual(read(), ["day", "text 3", "text 4 +", "text 5 +", "text 6 +"]);
  assert.equal(timeline.firstSeq, 3);
});

test("what is written waits at the end, and takes its place when the room has it", () => {
  const written = timeline.write({ sender: "me", messageId: "x", text: "mine", ts: NOON });
  assert.deepEqual(read(), ["day", "mine (sending)"]);
  assert.deepEqual(read({ isOnline: false }), ["day", "mine (waiting)"]);
  timeline.add(entry(1), false);
  timeline.confirm(written, { seq: 2, ts: NOON + 2 });
  assert.deepEqual(read(), ["day", "text 1", "mine (sent)"]);
  timeline.add(entry(3), false);
  assert.deepEqual(read(), ["day", "text 1", "mine", "text 3"]);
});

test("an acknowledgement that overtakes an earlier message: each still stands in its place", () => {
  const written = timeline.write({ sender: "me", messageId: "x", text: "mine", ts: NOON });
  timeline.confirm(written, { seq: 8, ts: NOON + 8 });
  timeline.add(entry(7), false);
  timeline.add(entry(8, { sender: "me", id: "x" }), true);
  assert.deepEqual(read(), ["day", "text 7", "mine (sent)"]);
});

test("one's own message seen in the room before its acknowledgement is that message", () => {
  const written = timeline.write({ sender: "me", messageId: "x", text: "mine", ts: NOON });
  assert.equal(timeline.add(entry(1, { sender: "me", id: "x" }), true), null);
  timeline.confirm(written, { seq: 1, ts: NOON + 1 });
  assert.deepEqual(read(), ["day", "mine (sent)"]);
  assert.deepEqual(timeline.unsent, []);
});

test("the same id of two senders is two messages", () => {
  timeline.add(entry(1, { id: "x" }), false);
  timeline.add(entry(2, { id: "x", sender: "bo" }), false);
  assert.equal(timeline.items.length, 2);
});

test("what failed stays where it was written, until it is tried again or deleted", () => {
  const first = timeline.write({ sender: "me", messageId: "x", text: "first", ts: NOON });
  timeline.write({ sender: "me", messageId: "y", text: "second", ts: NOON });
  first.status = "failed";
  assert.deepEqual(read(), ["day", "first (failed)", "second (sending)"]);
  timeline.remove(first);
  assert.deepEqual(read(), ["day", "second (sending)"]);
  timeline.confirm(first, { seq: 1, ts: NOON });
  assert.deepEqual(read(), ["day", "second (sending)"]);
});

test("one person's messages stand together for five minutes", () => {
  timeline.add(entry(1, { ts: NOON }), false);
  timeline.add(entry(2, { ts: NOON + 4 * MINUTE }), false);
  timeline.add(entry(3, { ts: NOON + 9 * MINUTE }), false);
  timeline.add(entry(4, { ts: NOON + 9 * MINUTE, sender: "bo" }), false);
  assert.deepEqual(read(), ["day", "text 1", "text 2 +", "text 3", "text 4"]);
});

test("a new day is told", () => {
  timeline.add(entry(1, { ts: NOON - 24 * 60 * MINUTE }), false);
  timeline.add(entry(2, { ts: NOON }), false);
  assert.deepEqual(read(), ["day", "text 1", "day", "text 2"]);
});

test("the line above what is unread", () => {
  timeline.add(entry(1), false);
  const unread = timeline.add(entry(2), false);
  timeline.add(entry(3), false);
  assert.deepEqual(read({ firstUnread: unread }), ["day", "text 1", "new", "text 2", "text 3 +"]);
});

test("who came and went is told together, each person once", () => {
  timeline.add(entry(1), false);
  for (const [what, uid] of /** @type {["joined" | "left", string][]} */ ([
    ["joined", "bo"],
    ["joined", "cy"],
    ["left", "ann"],
    ["joined", "ann"],
    ["joined", "di"],
    ["left", "di"],
    ["left", "ed"],
  ])) {
    timeline.notice(what, uid, NOON);
  }
  timeline.add(entry(2), false);
  timeline.notice("left", "bo", NOON);
  assert.deepEqual(read(), ["day", "text 1", "bo,cy joined; ann returned; di visited; ed left", "text 2", "bo left"]);
});

test("a notice stays where it happened when older messages are loaded, and above what waits", () => {
  timeline.add(entry(5), false);
  timeline.write({ sender: "me", messageId: "x", text: "mine", ts: NOON });
  timeline.notice("joined", "bo", NOON);
  timeline.add(entry(4), false);
  timeline.add(entry(6), false);
  assert.deepEqual(read(), ["day", "text 4", "text 5 +", "bo joined", "text 6", "mine (sending)"]);
});

test("data is told by its size", () => {
  const body = { type: "RAW", raw: Buffer.from("12345").toString("base64"), description: "a sound" };
  const added = timeline.add(entry(1, { body }), false);
  assert.deepEqual([added?.text, added?.dataBytes], ["a sound", 5]);
});

test("many messages: the oldest are let go, and can be loaded again", () => {
  for (let seq = 1; seq <= 1000; seq++) timeline.add(entry(seq), false);
  timeline.trim();
  assert.equal(timeline.items.length, 400);
  assert.equal(timeline.hasEarlier, true);
  timeline.add(entry(600), false);
  assert.equal(timeline.firstSeq, 600);
});

test("clear: what the room does not have is not forgotten", () => {
  timeline.add(entry(1), false);
  timeline.write({ sender: "me", messageId: "x", text: "mine", ts: NOON });
  timeline.clear();
  assert.deepEqual(read(), ["day", "mine (sending)"]);
});

test("a message with a file has its name and size, and what was said of it", () => {
  const file = { media: "a".repeat(32), name: "board.png", size: 1200 };
  const body = { ...file, type: "IMAGE", description: "page 12", width: 6, height: 4 };
  const added = timeline.add(entry(1, { body }), false);
  assert.deepEqual([added?.text, added?.file], ["page 12", { ...file, isImage: true }]);
  assert.equal(timeline.add(entry(2, { body: { ...body, type: "FILE" } }), false)?.file?.isImage, false);
  assert.equal(timeline.add(entry(3), false)?.file, null);
});
