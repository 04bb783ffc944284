import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RpcError } from "../../../static/rtm/connection/errors.js";
import { Stream } from "../../../static/rtm/session/stream.js";
import { FakeRuntime } from "../support/fake_runtime.js";

/** @typedef {import("../../../static/rtm/connection/connection.js").Settle} Settle */

/** @type {FakeRuntime} */
let runtime;
/** @type {number[]} */
let delivered;
/** @type {{after: number, settle: Settle}[]} */
let reads;
/** @type {any[]} */
let gaps;
/** How often everything missed was there. */
let lives = 0;
/** @type {Stream} */
let stream;

beforeEach(() => {
  runtime = new FakeRuntime();
  delivered = [];
  reads = [];
  gaps = [];
  lives = 0;
  stream = new Stream({
    name: "room:math",
    runtime,
    pace: () => null,
    live: () => (lives += 1),
    read: (after, settle) => reads.push({ after, settle }),
    deliver: (entry) => delivered.push(entry.seq),
    lost: (gap) => gaps.push(gap),
  });
});

/** @param {number} seq */
const entry = (seq) => ({
  stream: "room:math",
  seq,
  event: "room.sent",
  sender: "ann",
  message_id: `m${seq}`,
  ts: 0,
  body: { type: "TEXT", text: "" },
});

/** @param {number[]} seqs @param {object} [more] */
const page = (seqs, more = {}) => ({
  epoch: "e1",
  head: seqs.at(-1) ?? 0,
  live: true,
  entries: seqs.map(entry),
  ...more,
});

test("before it is opened nothing is delivered; then what follows the head is", () => {
  stream.push(entry(1));
  assert.equal(stream.cursor, null);
  stream.open({ epoch: "e1", head: 4 });
  for (const seq of [4, 5, 6]) stream.push(entry(seq));
  assert.deepEqual(delivered, [5, 6]);
  assert.deepEqual(stream.cursor, { seq: 6, epoch: "e1" });
});

test("a duplicate push is dropped", () => {
  stream.open({ epoch: "e1", head: 0 });
  for (const seq of [1, 1, 2, 1, 2, 3]) stream.push(entry(seq));
  assert.deepEqual(delivered, [1, 2, 3]);
});

test("a gap: nothing is delivered out of order, the gap is read once, then what was held follows", () => {
  stream.open({ epoch: "e1", head: 2 });
  for (const seq of [5, 7, 6]) stream.push(entry(seq));
  assert.deepEqual(delivered, []);
  assert.deepEqual(reads.map(({ after }) => after), [2]);
  reads[0].settle(null, page([3, 4, 5]));
  assert.deepEqual(delivered, [3, 4, 5, 6, 7]);
  assert.equal(reads.length, 1);
});

test("a gap that closes by itself is not waited for", () => {
  stream.open({ epoch: "e1", head: 2 });
  for (const seq of [4, 3, 5]) stream.push(entry(seq));
  assert.deepEqual(delivered, [3, 4, 5]);
  reads[0].settle(null, page([3, 4]));
  assert.deepEqual(delivered, [3, 4, 5]);
  assert.equal(reads.length, 1);
});

test("a gap in several pages is read until the stream is live", () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(6));
  reads[0].settle(null, page([1, 2], { head: 6, live: false }));
  assert.equal(reads[1].after, 2);
  reads[1].settle(null, page([3, 4], { head: 6, live: false }));
  reads[2].settle(null, page([5, 6]));
  assert.deepEqual(delivered, [1, 2, 3, 4, 5, 6]);
  assert.equal(reads.length, 3);
});

test("what is missing behind the page is read again, after a pause where nothing came", async () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(3));
  reads[0].settle(null, page([]));
  assert.equal(reads.length, 1);
  await runtime.advance(300);
  assert.equal(reads.length, 2);
  reads[1].settle(null, page([1, 2]));
  assert.deepEqual(delivered, [1, 2, 3]);
});

test("a page is the server's word: numbers that it leaves out are withdrawn entries", () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(5));
  reads[0].settle(null, page([1, 4, 5]));
  assert.deepEqual(delivered, [1, 4, 5]);
});

test("resume: the missed entries first, then pushes; entries seen before are dropped", () => {
  stream.open({ epoch: "e1", head: 2 });
  stream.push(entry(3));
  stream.suspend();
  stream.resume(page([3, 4, 5], { recovered: true }));
  stream.push(entry(6));
  assert.deepEqual(delivered, [3, 4, 5, 6]);
  assert.deepEqual(gaps, []);
});

test("resume: a stream that is catching up is pulled page by page", () => {
  stream.open({ epoch: "e1", head: 2 });
  stream.resume(page([3], { recovered: true, head: 9, live: false }));
  assert.deepEqual(reads.map(({ after }) => after), [3]);
});

test("resume: another epoch, or a gap that cannot be told, goes on at the head and says so", () => {
  stream.open({ epoch: "e1", head: 7 });
  stream.resume(page([], { recovered: false, epoch: "e2", head: 3 }));
  assert.deepEqual(gaps, [{ from: 7, to: 3 }]);
  assert.deepEqual(stream.cursor, { seq: 3, epoch: "e2" });
  stream.push(entry(4));
  assert.deepEqual(delivered, [4]);
});

test("resume: what is left of a gap that was too long is delivered after the gap was told", () => {
  stream.open({ epoch: "e1", head: 7 });
  stream.resume(page([20, 21], { recovered: false }));
  assert.deepEqual(gaps, [{ from: 7, to: 19 }]);
  assert.deepEqual(delivered, [20, 21]);
});

test("a page of another epoch is never mixed with what was seen", () => {
  stream.open({ epoch: "e1", head: 2 });
  stream.push(entry(9));
  reads[0].settle(null, page([1, 2], { epoch: "e2" }));
  assert.deepEqual(gaps, [{ from: 2, to: 0 }]);
  assert.deepEqual(delivered, [1, 2]);
  assert.deepEqual(stream.cursor, { seq: 2, epoch: "e2" });
});

test("the answer to a read of a lost connection is void", () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(3));
  stream.suspend();
  reads[0].settle(null, page([1, 2, 3]));
  assert.deepEqual(delivered, []);
  assert.deepEqual(stream.cursor, { seq: 0, epoch: "e1" });
});

test("a read that fails for now is made again, one that is refused is not", async () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(2));
  reads[0].settle(new RpcError({ code: 13, message: "", data: { name: "unavailable", retryable: true } }), null);
  await runtime.advance(300);
  assert.equal(reads.length, 2);
  reads[1].settle(new RpcError({ code: 7, message: "", data: { name: "not_in_room", retryable: false } }), null);
  await runtime.advance(60_000);
  assert.equal(reads.length, 2);
});

test("the epoch of a stream that was empty is asked for at its first entry, once", () => {
  stream.open({ epoch: "", head: 0 });
  stream.push(entry(1));
  assert.deepEqual(delivered, [1]);
  stream.push(entry(2));
  assert.deepEqual(reads.map(({ after }) => after), [1]);
  reads[0].settle(null, page([2]));
  stream.push(entry(3));
  assert.deepEqual(delivered, [1, 2, 3]);
  assert.equal(reads.length, 1);
  assert.deepEqual(stream.cursor, { seq: 3, epoch: "e1" });
});

test("more than can be held behind a gap is read instead", () => {
  stream.open({ epoch: "e1", head: 0 });
  for (let seq = 2; seq <= 1500; seq++) stream.push(entry(seq));
  reads[0].settle(null, page([1]));
  assert.equal(delivered.length, 1001);
  reads[1].settle(null, page([1002, 1003, 1500]));
  assert.equal(delivered.at(-1), 1500);
  assert.deepEqual(delivered, [...delivered].sort((a, b) => a - b));
});

test("a listener that closes the stream in the middle of a page gets no more of it", () => {
  const closing = new Stream({
    name: "room:math",
    runtime,
    read: () => {},
    deliver: ({ seq }) => {
      delivered.push(seq);
      closing.close();
    },
    lost: () => {},
    pace: () => null,
    live: () => {},
  });
  closing.open({ epoch: "e1", head: 0 });
  closing.resume(page([1, 2, 3]));
  assert.deepEqual(delivered, [1]);
  assert.equal(closing.cursor, null);
});

test("sparse: numbers may be missing in what is pushed; twice is once", () => {
  const inbox = sparse();
  inbox.resume({ epoch: "e1", head: 0, live: true });
  for (const seq of [1, 4, 4, 2, 9]) inbox.push(entry(seq));
  assert.deepEqual([delivered, reads.length], [[1, 4, 9], 0]);
});

test("sparse: what is pushed while pages are missing waits for them, and is read where no page had it", () => {
  const inbox = sparse();
  inbox.resume({ epoch: "e1", head: 4, live: false, entries: [entry(1), entry(2)] });
  inbox.push(entry(6));
  assert.deepEqual([delivered, reads.length, lives], [[1, 2], 1, 0]);
  reads[0].settle(null, { epoch: "e1", head: 4, live: true, entries: [entry(4)] });
  assert.deepEqual([delivered, reads.length, lives], [[1, 2, 4], 2, 0]);
  reads[1].settle(null, { epoch: "e1", head: 6, live: true, entries: [entry(6)] });
  assert.deepEqual([delivered, reads.length, lives], [[1, 2, 4, 6], 2, 1]);
});

test("live is told once after each gap, when everything of it was delivered", () => {
  stream.open({ epoch: "e1", head: 0 });
  stream.push(entry(2));
  reads[0].settle(null, page([1, 2]));
  assert.equal(lives, 1);
  stream.resume(page([3, 4], { live: false }));
  assert.equal(lives, 1);
  reads[1].settle(null, page([5]));
  assert.deepEqual([delivered, lives], [[1, 2, 3, 4, 5], 2]);
});

/** An inbox's. */
function sparse() {
  return new Stream({
    name: "inbox:me",
    runtime,
    pace: () => null,
    read: (after, settle) => reads.push({ after, settle }),
    isSparse: true,
    deliver: ({ seq }) => delivered.push(seq),
    lost: (gap) => gaps.push(gap),
    live: () => (lives += 1),
  });
}
