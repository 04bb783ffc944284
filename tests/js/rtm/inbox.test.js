import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { logIn, sessionOf } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let session;
/** @type {string[]} */
let heard;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  session = sessionOf(runtime, "me");
  heard = [];
  session.peers.on("message", ({ seq, body }, isOffline) => {
    heard.push(`${seq} ${body.message.text}${isOffline ? " (offline)" : ""}`);
  });
});

async function login() {
  const promise = session.login();
  await runtime.advance(50);
  await promise;
}

const acks = () => server.paramsOf("inbox.ack").map(({ seq }) => seq);

/** @param {...string} texts in one frame */
function deliver(...texts) {
  const inbox = server.inbox("me");
  runtime.socket.deliver(
    texts.map((text) => {
      const what = { event: "peer.sent", sender: "ann", message_id: text, ts: 1, body: { message: { type: "TEXT", text } } };
      const { event: method, ...params } = inbox.append(what);
      return { jsonrpc: "2.0", method, params };
    }),
  );
}

test("what came while the user was away is told at login, in order, as offline where it was kept for that", async () => {
  server.writeTo("me", "kept");
  server.writeTo("me", "on its way", false);
  await login();
  server.writeTo("me", "later");
  await runtime.advance(50);
  assert.deepEqual(heard, ["1 kept (offline)", "2 on its way", "3 later"]);
});

test("who listens only after the login misses nothing of it", async () => {
  server.writeTo("me", "kept");
  const late = sessionOf(runtime, "me");
  /** @type {string[]} */
  const texts = [];
  const arrived = late.login().then(() => late.peers.on("message", ({ body }) => texts.push(body.message.text)));
  await runtime.advance(50);
  await arrived;
  assert.deepEqual(texts, ["kept"]);
});

test("each frame is acknowledged once, when everything of it was handed on", async () => {
  await login();
  deliver("a", "b", "c");
  deliver("d");
  await runtime.advance(50);
  assert.deepEqual(acks(), [3, 4]);
});

test("an acknowledgement that got lost is repeated after the reconnect, and nothing is told twice", async () => {
  await login();
  deliver("a");
  server.cutAll();
  await runtime.advance(5000);
  assert.deepEqual(heard, ["1 a"]);
  assert.deepEqual(acks(), [1]);
  assert.equal(server.inbox("me").acked, 1);
});

test("what was missed in a gap is told after it, and is no offline message", async () => {
  await login();
  server.cutAll();
  server.writeTo("me", "missed");
  await runtime.advance(5000);
  assert.deepEqual(heard, ["1 missed"]);
});

test("a session that was removed hears on its return what was kept for it, as offline", async () => {
  await login();
  server.writeTo("me", "seen");
  await runtime.advance(50);
  server.restart();
  server.writeTo("me", "missed");
  await runtime.advance(5000);
  assert.deepEqual(heard, ["1 seen", "2 missed (offline)"]);
});

test("numbers that are missing are no gap, and what comes twice is told once", async () => {
  await login();
  const inbox = server.inbox("me");
  deliver("a");
  inbox.append({ event: "peer.sent", sender: "x", message_id: "x", ts: 1, body: {} });
  inbox.withdraw(2);
  server.isStuttering = true;
  server.writeTo("me", "c");
  await runtime.advance(50);
  assert.deepEqual(heard, ["1 a", "3 c"]);
  assert.deepEqual(server.paramsOf("stream.read").length, 1); // to learn the epoch
});

test("a long absence is read page by page, with what is written meanwhile behind it", async () => {
  server.pageSize = 2;
  for (let index = 1; index <= 7; index++) server.writeTo("me", `m${index}`);
  const arrived = session.login();
  await runtime.advance(18);
  server.writeTo("me", "m8");
  await runtime.advance(500);
  await arrived;
  assert.deepEqual(heard, Array.from({ length: 8 }, (_, index) => `${index + 1} m${index + 1}${index < 7 ? " (offline)" : ""}`));
  assert.equal(acks().at(-1), 8);
});

test("a page that is refused for now is asked for again", async () => {
  server.pageSize = 1;
  server.writeTo("me", "a");
  server.writeTo("me", "b");
  server.refuseNext("stream.read", rpcError(13, "unavailable", true));
  await login();
  await runtime.advance(1000);
  assert.deepEqual(heard, ["1 a (offline)", "2 b (offline)"]);
});

test("an inbox restored from a backup starts anew: its numbers are not taken for old ones", async () => {
  await login();
  deliver("a", "b", "c");
  await runtime.advance(50);
  server.cutAll();
  server.inbox("me").restore("e9");
  server.writeTo("me", "new");
  await runtime.advance(5000);
  assert.deepEqual(heard, ["1 a", "2 b", "3 c", "1 new"]);
  assert.equal(server.inbox("me").acked, 1);
});

test("a listener that throws keeps neither the others from hearing nor the server from knowing", async (t) => {
  const errors = /** @type {unknown[]} */ ([]);
  globalThis.reportError = (error) => errors.push(error);
  t.after(() => Reflect.deleteProperty(globalThis, "reportError"));
  session.peers.once("message", () => {
    throw new Error("of the application");
  });
  await login();
  deliver("a", "b");
  await runtime.advance(50);
  assert.deepEqual(heard, ["1 a", "2 b"]);
  assert.deepEqual(acks(), [2]);
  assert.deepEqual(errors.map(String), ["Error: of the application"]);
});

test("a listener that logs out: what it has had is acknowledged, the rest comes with the next login", async () => {
  await login();
  session.peers.once("message", () => void session.logout());
  deliver("a", "b");
  await runtime.advance(50);
  assert.deepEqual(heard, ["1 a"]);
  assert.deepEqual(acks(), [1]);
  await login();
  assert.deepEqual(heard, ["1 a", "2 b"]);
});

test("a listener that logs out and in again at once loses nothing and hears nothing twice", async () => {
  await login();
  session.peers.once("message", () => {
    void session.logout();
    void session.login();
  });
  deliver("a", "b", "c");
  await runtime.advance(2000);
  assert.deepEqual(heard, ["1 a", "2 b", "3 c"]);
  assert.equal(session.state, "CONNECTED");
});

test("a listener that takes its time: what comes meanwhile waits, and nothing is acknowledged before it is told", async () => {
  await login();
  session.peers.on("message", () => runtime.freeze(5));
  deliver("a", "b", "c", "d", "e");
  assert.deepEqual(heard, ["1 a", "2 b"]);
  deliver("f");
  assert.deepEqual([heard.length, acks().length], [2, 0]);
  await runtime.advance(100);
  assert.deepEqual(heard, ["1 a", "2 b", "3 c", "4 d", "5 e", "6 f"]);
  assert.deepEqual(acks(), [5, 6]);
});

test("the connection goes while a slow listener is at it: it is told the rest, and the next login tells it once", async () => {
  await login();
  session.peers.on("message", () => runtime.freeze(5));
  deliver("a", "b", "c", "d");
  assert.equal(heard.length, 2);
  runtime.socket.drop();
  await runtime.advance(5000);
  assert.deepEqual(heard, ["1 a", "2 b", "3 c", "4 d"]);
  assert.equal(acks().at(-1), 4);
});

test("a page of a slow listener is told in slices, with what is pushed behind it", async () => {
  for (let index = 1; index <= 6; index++) server.writeTo("me", `m${index}`, false);
  session.peers.on("message", () => runtime.freeze(5));
  const arrived = session.login();
  while (heard.length === 0) await runtime.advance(1);
  assert.ok(heard.length < 6);
  deliver("m7");
  await runtime.advance(200);
  await arrived;
  assert.deepEqual(heard, Array.from({ length: 7 }, (_, index) => `${index + 1} m${index + 1}`));
});

test("two pages of one user: the older one ends, and the newer one hears what it had not", async () => {
  await login();
  const other = await logIn(runtime, "me");
  /** @type {string[]} */
  const texts = [];
  other.peers.on("message", ({ body }) => texts.push(body.message.text));
  server.writeTo("me", "for the newer");
  await runtime.advance(50);
  assert.deepEqual([heard, texts], [[], ["for the newer"]]);
  assert.equal(session.state, "ABORTED");
});
