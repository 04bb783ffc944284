import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, logIn, outcome } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let ann;
/** @type {any[]} */
let told;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  server.come("bob");
  told = [];
  ann.presence.on("changed", (states) => told.push(states));
});

const subscribe = (/** @type {string[]} */ ...uids) => after(runtime, ann.presence.subscribe(uids));

/** @param {string} uid @param {string} state */
async function push(uid, state) {
  server.push("ann", "presence.changed", { states: { [uid]: state } });
  await runtime.advance(10);
}

test("query tells the states now", async () => {
  assert.deepEqual(await after(runtime, ann.presence.query(["bob", "cal"])), { bob: "ONLINE", cal: "OFFLINE" });
});

test("a subscription tells the states of all at once, then each change", async () => {
  await subscribe("bob", "cal");
  await push("bob", "UNREACHABLE");
  await push("bob", "ONLINE");
  assert.deepEqual(told, [{ bob: "ONLINE", cal: "OFFLINE" }, { bob: "UNREACHABLE" }, { bob: "ONLINE" }]);
});

test("the same subscription again is no error and tells the states again; the same state again is not told", async () => {
  await subscribe("bob");
  await subscribe("bob");
  await push("bob", "ONLINE");
  assert.deepEqual(told, [{ bob: "ONLINE" }, { bob: "ONLINE" }]);
  assert.deepEqual(await after(runtime, ann.presence.list()), ["bob"]);
});

/** The answer to the last request, and a change behind it in its frame. @param {string} method @param {any} result */
function answerWithChange(method, result) {
  const { socket } = runtime;
  socket.deliver([
    { jsonrpc: "2.0", id: socket.lastRequest(method).id, result },
    { jsonrpc: "2.0", method: "presence.changed", params: { states: { bob: "OFFLINE" } } },
  ]);
}

test("a change in the frame of the subscription's answer is told behind its states", async () => {
  const done = ann.presence.subscribe(["bob"]);
  answerWithChange("presence.subscribe", { states: { bob: "ONLINE" } });
  assert.deepEqual(told, [{ bob: "ONLINE" }, { bob: "OFFLINE" }]);
  await done;
});

test("a refused unsubscription changes nothing", async () => {
  await subscribe("bob");
  server.refuseNext("presence.unsubscribe", rpcError(9, "too_often", true));
  assert.equal(await outcome(after(runtime, ann.presence.unsubscribe(["bob"]))), "too_often");
  await push("bob", "OFFLINE");
  assert.deepEqual(told, [{ bob: "ONLINE" }, { bob: "OFFLINE" }]);
  assert.deepEqual(await after(runtime, ann.presence.list()), ["bob"]);
});

test("a user may have any name that the server allows", async () => {
  const done = ann.presence.subscribe(["__proto__"]);
  const { id } = runtime.socket.lastRequest("presence.subscribe");
  runtime.socket.deliverText(`{"jsonrpc":"2.0","id":${id},"result":{"states":{"__proto__":"ONLINE"}}}`);
  await done;
  const params = '{"states":{"__proto__":"OFFLINE","constructor":"ONLINE"}}';
  runtime.socket.deliverText(`{"jsonrpc":"2.0","method":"presence.changed","params":${params}}`);
  assert.deepEqual(told.map(Object.entries), [[["__proto__", "ONLINE"]], [["__proto__", "OFFLINE"]]]);
});

test("after unsubscribing nothing is told any more, from the server's answer on", async () => {
  await subscribe("bob");
  const done = ann.presence.unsubscribe(["bob"]);
  answerWithChange("presence.unsubscribe", {});
  await done;
  assert.deepEqual(told, [{ bob: "ONLINE" }]);
  assert.deepEqual(await after(runtime, ann.presence.list()), []);
});

test("after a reconnect what has changed meanwhile is told, once, and the subscription goes on", async () => {
  await subscribe("bob", "cal");
  server.cutAll();
  await runtime.advance(100);
  server.remove("bob");
  await runtime.advance(5000);
  await push("cal", "ONLINE");
  assert.deepEqual(told.slice(1), [{ bob: "OFFLINE" }, { cal: "ONLINE" }]);
  assert.deepEqual(server.paramsOf("presence.subscribe").at(-1), { uids: ["bob", "cal"] });
});

test("nothing is told of a reconnect in which nothing has changed", async () => {
  await subscribe("ann", "cal");
  server.cutAll();
  await runtime.advance(5000);
  assert.equal(told.length, 1);
});

test("the server refuses to take the subscription back for a while: it is asked until it does", async () => {
  await subscribe("bob");
  server.refuseNext("presence.subscribe", rpcError(3, "too_often", true, { retry_after_ms: 700 }));
  server.refuseNext("presence.subscribe", rpcError(13, "unavailable", true));
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual([...(server.logins.get("ann")?.watched ?? [])], ["bob"]);
});

test("the messages of a gap come before the online states it has changed", async () => {
  server.pageSize = 1;
  const room = new Room(ann, "math");
  room.on("message", ({ body }) => told.push(body.text));
  room.on("left", (uid) => told.push(`-${uid}`));
  server.enter("math", "bob");
  await after(runtime, room.join());
  await subscribe("bob");
  server.cutAll();
  for (const text of ["a", "b", "c"]) server.write("math", text);
  server.exit("math", "bob");
  server.remove("bob");
  await runtime.advance(5000);
  assert.deepEqual(told, [{ bob: "ONLINE" }, "a", "b", "c", "-bob", { bob: "OFFLINE" }]);
});

test("a room that can not tell its messages does not hold up the states for ever", async () => {
  const room = new Room(ann, "math");
  await after(runtime, room.join());
  await subscribe("bob");
  server.restart();
  for (let index = 0; index < 40; index++) server.refuseNext("room.join", rpcError(13, "unavailable", true));
  await runtime.advance(8000);
  assert.ok(server.paramsOf("presence.subscribe").length >= 2);
});

test("a logout ends the subscriptions", async () => {
  await subscribe("bob");
  await after(runtime, ann.logout());
  assert.equal(await outcome(ann.presence.list()), "not_connected");
  await after(runtime, ann.login());
  assert.deepEqual(await after(runtime, ann.presence.list()), []);
  assert.equal(server.paramsOf("presence.subscribe").length, 1);
});

test("a server that has forgotten everybody takes nobody for gone who may come back in time", async () => {
  server.come("cal");
  await subscribe("bob", "cal", "dan");
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual(told, [
    { bob: "ONLINE", cal: "ONLINE", dan: "OFFLINE" },
    { bob: "UNREACHABLE", cal: "UNREACHABLE" },
  ]);
  server.come("bob");
  await push("bob", "ONLINE");
  await runtime.advance(30_000);
  assert.deepEqual(told.slice(2), [{ bob: "ONLINE" }, { cal: "OFFLINE" }]);
});
