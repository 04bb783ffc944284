import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../static/rtm/connection/backoff.js";
import { Emitter } from "../../../static/rtm/connection/emitter.js";
import { endingOf } from "../../../static/rtm/connection/errors.js";
import { createIdMaker } from "../../../static/rtm/connection/ids.js";
import { watchPage } from "../../../static/rtm/connection/lifecycle.js";
import { Pace } from "../../../static/rtm/connection/pace.js";
import { Members } from "../../../static/rtm/session/members.js";
import { keepTime, workerTimers } from "../../../static/rtm/connection/timers.js";
import { FakeRuntime } from "../support/fake_runtime.js";

test("backoff: the wait is drawn from nothing to a doubling ceiling, up to the cap", () => {
  const most = new Backoff({ random: () => 1 }, 3000);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => most.next()), [500, 1000, 2000, 3000, 3000]);
  const least = new Backoff({ random: () => 0 });
  assert.equal(least.next(), 0);
  most.reset();
  assert.equal(most.next(), 500);
});

test("backoff: a wait that the server gives is kept, and counts as an attempt", () => {
  const backoff = new Backoff({ random: () => 1 });
  assert.equal(backoff.next(1234), 1234);
  assert.equal(backoff.next(), 1000);
});

test("ids: a UUIDv7 of the server's character set", () => {
  const id = createIdMaker({ wallNow: () => 0x0123456789ab, randomBytes: (n) => new Uint8Array(n).fill(0xff) })();
  assert.match(id, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(id.length <= 64);
});

test("ids: each is greater than the one before, also within a millisecond and when the clock goes back", () => {
  let now = 1_800_000_000_000;
  const make = createIdMaker({ wallNow: () => now, randomBytes: (n) => crypto.getRandomValues(new Uint8Array(n)) });
  const ids = [];
  for (let index = 0; index < 10_000; index++) {
    if (index === 5000) now -= 60_000;
    ids.push(make());
  }
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids, [...ids].sort());
});

test("emitter: a listener that throws keeps nobody from hearing, and ends no program of Node", (t) => {
  const { mock: reported } = t.mock.method(console, "error", () => {});
  /** @type {Emitter<{said: [word: string]}>} */
  const emitter = new Emitter();
  /** @type {string[]} */
  const heard = [];
  emitter.on("said", () => {
    throw new Error("mine");
  });
  emitter.on("said", (word) => heard.push(word));
  emitter.once("said", (word) => heard.push(`once ${word}`));
  assert.equal(emitter.emit("said", "a"), true);
  emitter.emit("said", "b");
  assert.deepEqual(heard, ["a", "once a", "b"]);
  assert.deepEqual(reported.calls.map(({ arguments: [error] }) => error.message), ["mine", "mine"]);
});

test("emitter: what a listener causes is told after what it was told itself, to all in the same order", () => {
  /** @type {Emitter<{said: [word: string], done: []}>} */
  const emitter = new Emitter();
  /** @type {string[]} */
  const heard = [];
  emitter.on("said", (word) => {
    if (word !== "a") return;
    assert.equal(emitter.emit("said", "b"), true);
    emitter.emit("done");
    emitter.emit("said", "c");
    heard.push("first is through");
  });
  emitter.on("said", (word) => heard.push(word));
  emitter.on("done", () => heard.push("done"));
  emitter.emit("said", "a");
  assert.deepEqual(heard, ["first is through", "a", "b", "done", "c"]);
});

test("emitter: once is once, also where the listener before it causes the same event", () => {
  /** @type {Emitter<{said: [word: string]}>} */
  const emitter = new Emitter();
  /** @type {string[]} */
  const heard = [];
  emitter.on("said", (word) => {
    if (word === "a") emitter.emit("said", "b");
  });
  emitter.once("said", (word) => heard.push(word));
  emitter.emit("said", "a");
  assert.deepEqual(heard, ["a"]);
});

test("emitter: off removes one registration, and one that is removed while it is emitted still hears this once", () => {
  /** @type {Emitter<{said: []}>} */
  const emitter = new Emitter();
  let count = 0;
  const listener = () => {
    count += 1;
    emitter.off("said", listener);
  };
  emitter.on("said", listener).on("said", listener);
  emitter.emit("said");
  assert.equal(count, 2);
  assert.equal(emitter.emit("said"), false);
});

test("close codes: an unknown one is a lost network, a notice knows better than the code", () => {
  assert.deepEqual(endingOf(1006), { code: 1006, name: "lost", reconnect: true, delayMs: null });
  assert.equal(endingOf(4003).reconnect, false);
  const notice = { code: 1012, name: "server_restart", reconnect: true, delay_ms: 700 };
  assert.deepEqual(endingOf(1006, notice), { code: 1012, name: "server_restart", reconnect: true, delayMs: 700 });
});

test("members: joining and leaving twice is joining and leaving once", () => {
  const members = new Members();
  members.replace({ members: ["ann", "bo"], total: 2 });
  assert.deepEqual([members.join("cy"), members.join("cy")], [true, false]);
  assert.deepEqual([members.leave("bo"), members.leave("bo")], [true, false]);
  assert.deepEqual(members.uids, ["ann", "cy"]);
  assert.equal(members.count, 2);
});

test("members: a snapshot tells the difference, and not being listed in a large room is not having left", () => {
  const members = new Members();
  members.replace({ members: ["ann", "bo"], total: 2 });
  assert.deepEqual(members.replace({ members: ["bo", "cy"], total: 2 }), { joined: ["cy"], left: ["ann"] });
  assert.deepEqual(members.replace({ members: ["cy"], total: 600 }).left, []);
  assert.equal(members.count, 600);
});

test("worker timers: keep the worker's time, and go on with the page's when the worker fails", async () => {
  const runtime = new FakeRuntime();
  /** @type {any[]} */
  const posted = [];
  const worker = {
    postMessage: (/** @type {any} */ message) => posted.push(message),
    onmessage: /** @type {any} */ (null),
    onerror: /** @type {any} */ (null),
  };
  const timers = workerTimers(worker, runtime);
  /** @type {string[]} */
  const fired = [];
  timers.setTimeout(() => fired.push("first"), 100);
  const second = timers.setTimeout(() => fired.push("second"), 100);
  timers.setTimeout(() => fired.push("third"), 100);
  timers.clearTimeout(second);
  assert.deepEqual(posted.map(({ id, delayMs }) => [id, delayMs]), [[0, 100], [1, 100], [2, 100], [1, null]]);
  worker.onmessage({ data: 0 });
  worker.onmessage({ data: 1 });
  assert.deepEqual(fired, ["first"]);
  worker.onerror();
  timers.clearTimeout(timers.setTimeout(() => fired.push("cancelled"), 50));
  await runtime.advance(100);
  assert.deepEqual(fired, ["first", "third"]);
});

test("worker timers: what the page sends is a text that stands for itself, and keeps the time", async () => {
  /** @type {{onmessage: any, postMessage: (id: number) => void}} */
  const worker = { onmessage: null, postMessage: () => {} };
  const rung = new Promise((resolve) => (worker.postMessage = resolve));
  new Function("self", `(${keepTime})(self)`)(worker);
  worker.onmessage({ data: { id: 1, delayMs: 5 } });
  worker.onmessage({ data: { id: 2, delayMs: 20 } });
  worker.onmessage({ data: { id: 1, delayMs: null } });
  assert.equal(await rung, 2);
});

test("pace: work goes on for a slice, then in another, with what was put off before the rest", async () => {
  const runtime = new FakeRuntime();
  /** @type {string[]} */
  const done = [];
  const work = ["a", "b", "c", "d"];
  const pace = new Pace(runtime, () => {
    const piece = work.shift();
    if (!piece) return false;
    done.push(piece);
    if (piece === "b") pace.detour(() => done.push("put off"));
    runtime.freeze(5);
    return true;
  });
  pace.run();
  assert.deepEqual(done, ["a", "b"]);
  pace.run();
  assert.deepEqual(done, ["a", "b"]);
  await runtime.advance(0);
  assert.deepEqual(done, ["a", "b", "put off", "c", "d"]);
});

test("pace: a rest lets promises be heard before it goes on; stopped, it does not", async () => {
  const runtime = new FakeRuntime();
  /** @type {string[]} */
  const done = [];
  const work = ["a", "b", "c"];
  const pace = new Pace(runtime, () => {
    const piece = work.shift();
    if (!piece) return false;
    done.push(piece);
    Promise.resolve().then(() => done.push(`heard ${piece}`));
    if (piece === "a") pace.rest();
    if (piece === "b") pace.stop();
    return true;
  });
  pace.run();
  await runtime.advance(0);
  assert.deepEqual(done, ["a", "heard a", "b", "heard b"]);
});

test("lifecycle: the page wakes its session when it or the network is back", () => {
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  const page = Object.assign(new EventTarget(), { document });
  let woken = 0;
  const stop = watchPage({ wake: () => (woken += 1) }, page);
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(woken, 0);
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  page.dispatchEvent(new Event("online"));
  page.dispatchEvent(new Event("pageshow"));
  document.dispatchEvent(new Event("resume"));
  assert.equal(woken, 4);
  stop();
  page.dispatchEvent(new Event("online"));
  assert.equal(woken, 4);
});
