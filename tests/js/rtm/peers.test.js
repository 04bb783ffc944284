import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, logIn, outcome, say } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let ann;
/** @type {Session} */
let bob;
/** @type {string[]} */
let heard;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  bob = await logIn(runtime, "bob");
  heard = [];
  bob.peers.on("message", ({ sender, body }) => heard.push(`${sender}: ${body.message.text}`));
});

test("a message is received when the peer's client has acknowledged it", async () => {
  const sent = ann.peers.send("bob", say("hello"));
  const { received, ts } = await after(runtime, sent);
  assert.deepEqual([received, ts > 0, heard], [true, true, ["ann: hello"]]);
});

test("to a peer who is away it is not received, and comes later only where it is kept", async () => {
  await after(runtime, bob.logout());
  const lost = await after(runtime, ann.peers.send("bob", say("lost")));
  const kept = await after(runtime, ann.peers.send("bob", say("kept"), { offline: true }));
  assert.deepEqual([lost.received, kept.received], [false, false]);
  await after(runtime, bob.login());
  assert.deepEqual(heard, ["ann: kept"]);
});

test("the peer loses its connection for a moment: the message is waited for", async () => {
  server.cut("bob");
  const sent = ann.peers.send("bob", say("hello"));
  const { received } = await after(runtime, sent, 2000);
  assert.deepEqual([received, heard], [true, ["ann: hello"]]);
});

test("the flags go to the server, and only where they are set", async () => {
  await after(runtime, ann.peers.send("bob", say("a"), { historical: true, messageId: "id" }));
  await after(runtime, ann.peers.send("bob", say("b")));
  const [first, second] = server.paramsOf("peer.send");
  assert.deepEqual(first, { peer: "bob", message_id: "id", message: say("a"), historical: true });
  assert.deepEqual(Object.keys(second), ["peer", "message_id", "message"]);
});

test("the answer gets lost: sent again under the same id, it is told once", async () => {
  server.cutNext("peer.send");
  const { received } = await after(runtime, ann.peers.send("bob", say("once")), 2000);
  assert.deepEqual([received, heard], [true, ["ann: once"]]);
  const [first, second] = server.paramsOf("peer.send");
  assert.equal(first.message_id, second.message_id);
});

test("several keep their order over a lost connection, with those that are written meanwhile behind them", async () => {
  const sent = ["a", "b", "c"].map((text) => ann.peers.send("bob", say(text)));
  server.cutAll();
  sent.push(ann.peers.send("bob", say("d")));
  await after(runtime, Promise.all(sent), 3000);
  assert.deepEqual(heard, ["ann: a", "ann: b", "ann: c", "ann: d"]);
});

test("several that are refused for a while keep their order, and what is written then waits behind them", async () => {
  for (const name of ["unavailable", "overloaded", "expired"]) server.refuseNext("peer.send", rpcError(13, name, true));
  const sent = ["a", "b", "c"].map((text) => ann.peers.send("bob", say(text)));
  await runtime.advance(20);
  sent.push(ann.peers.send("bob", say("d")));
  await after(runtime, Promise.all(sent), 3000);
  assert.deepEqual(heard, ["ann: a", "ann: b", "ann: c", "ann: d"]);
});

test("too often is for the caller, at once and without another try", async () => {
  server.refuseNext("peer.send", rpcError(3, "too_often", true, { retry_after_ms: 17 }));
  assert.equal(await after(runtime, outcome(ann.peers.send("bob", say("a")))), "too_often");
  assert.equal(server.paramsOf("peer.send").length, 1);
});

test("to many: by peer, who has it and of whom it is not known", async () => {
  const result = await after(runtime, ann.peers.sendMany(["bob", "cal"], say("we begin"), { offline: true }));
  assert.deepEqual(result, { received: { bob: true, cal: false }, failed: {} });
  assert.deepEqual(heard, ["ann: we begin"]);
});

test("in 10 s a send is settled, also while there is no connection, and it is not sent later", async () => {
  server.isDown = true;
  server.cutAll();
  const sent = outcome(ann.peers.send("bob", say("in time only")));
  await runtime.advance(10_000);
  assert.equal(await sent, "timeout");
  server.isDown = false;
  await runtime.advance(20_000);
  assert.deepEqual(heard, []);
});

test("a server that fails for longer than there is time tells so, and not that nothing came", async () => {
  for (let index = 0; index < 40; index++) server.refuseNext("peer.send", rpcError(13, "unavailable", true));
  assert.equal(await after(runtime, outcome(ann.peers.send("bob", say("a"))), 10_000), "unavailable");
});

test("what waits is bounded: the 1,001st is refused at once", async () => {
  server.isDown = true;
  server.cutAll();
  const sent = Array.from({ length: 1000 }, (_, index) => outcome(ann.peers.send("bob", say(String(index)))));
  assert.equal(await outcome(ann.peers.send("bob", say("too many"))), "too_often");
  await ann.logout();
  assert.deepEqual(new Set(await Promise.all(sent)), new Set(["aborted"]));
});

test("history is read with its range", async () => {
  await after(runtime, ann.peers.send("bob", say("a"), { historical: true }));
  const { messages, more } = await after(runtime, bob.peers.history("ann", { limit: 1 }));
  assert.deepEqual([messages.length, more], [1, false]);
  assert.deepEqual(server.paramsOf("peer.history"), [{ peer: "ann", limit: 1 }]);
});
