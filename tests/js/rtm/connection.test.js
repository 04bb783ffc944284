import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Connection } from "../../../static/rtm/connection/connection.js";
import { utf8Length } from "../../../static/rtm/connection/protocol.js";
import { FakeRuntime } from "../support/fake_runtime.js";

/** @type {FakeRuntime} */
let runtime;
/** @type {any[]} */
let seen;
/** How many frames were handed on to their end. */
let frames = 0;
/** @type {Connection} */
let connection;

beforeEach(() => {
  runtime = new FakeRuntime();
  seen = [];
  frames = 0;
  connection = connect();
});

function connect() {
  return new Connection("ws://here/rtm/ws", runtime, {
    opened: () => seen.push("opened"),
    pushed: (method, params) => seen.push([method, params]),
    frameEnded: () => (frames += 1),
    ended: (ending) => seen.push(ending.name),
  });
}

/** @param {string} method */
function call(method, timeoutMs = 10_000) {
  /** @type {{error: any, result: any}} */
  const outcome = { error: undefined, result: undefined };
  connection.request(method, {}, timeoutMs, (error, result) => Object.assign(outcome, { error, result }));
  return outcome;
}

function start() {
  runtime.socket.open();
  connection.start({ heartbeatMs: 3000, ackBytes: 100 });
}

test("a heartbeat goes out after each 3 s in which nothing was sent, with the bytes received", async () => {
  start();
  await runtime.advance(2999);
  assert.deepEqual(runtime.socket.methods, []);
  await runtime.advance(1);
  assert.deepEqual(runtime.socket.methods, ["session.ping"]);
  assert.deepEqual(runtime.socket.sent[0].params, { received: 0 });
  await runtime.advance(20);
  runtime.socket.answer("session.ping", {});
  assert.equal(connection.rttMs, 20);
  await runtime.advance(1980);
  call("room.leave");
  runtime.socket.answer("room.leave", {});
  await runtime.advance(2999);
  assert.deepEqual(runtime.socket.methods, ["session.ping", "room.leave"]);
  await runtime.advance(1);
  assert.deepEqual(runtime.socket.methods, ["session.ping", "room.leave", "session.ping"]);
});

test("an answer to what could not be read fails what is under way at once", async () => {
  start();
  const calls = [call("room.send"), call("room.leave")];
  const error = { code: -32700, message: "The frame is no JSON.", data: { name: "parse_error", retryable: false } };
  runtime.socket.deliver({ jsonrpc: "2.0", id: null, error });
  assert.deepEqual(calls.map(({ error: { name } }) => name), ["parse_error", "parse_error"]);
  const next = call("room.join");
  runtime.socket.answer("room.send", { seq: 1 });
  runtime.socket.answer("room.join", { count: 1 });
  assert.deepEqual([next.result, calls[0].result, seen], [{ count: 1 }, null, ["opened"]]);
});

test("watchdog: 4 s without a frame end the connection, whatever the socket says", async () => {
  start();
  await runtime.advance(3900);
  runtime.socket.deliver({ jsonrpc: "2.0", method: "session.alive", params: {} });
  await runtime.advance(3999);
  assert.deepEqual(seen, ["opened"]);
  await runtime.advance(1);
  assert.deepEqual(seen, ["opened", "silent"]);
  assert.ok(runtime.socket.isClosed);
  assert.equal(runtime.pendingTimers, 0);
});

test("frozen tab: what came while the page slept is heard before the connection is judged", async () => {
  start();
  runtime.freeze(20_000);
  await runtime.advance(0);
  assert.deepEqual(seen, ["opened"]);
  assert.equal(runtime.socket.methods.at(-1), "session.ping");
  await runtime.advance(1000);
  runtime.socket.answer("session.ping", {});
  await runtime.advance(3000);
  assert.deepEqual(seen, ["opened"]);
});

test("frozen tab: a connection that died meanwhile is given up 4 s after waking", async () => {
  start();
  runtime.freeze(20_000);
  await runtime.advance(3999);
  assert.deepEqual(seen, ["opened"]);
  await runtime.advance(1);
  assert.deepEqual(seen, ["opened", "silent"]);
});

test("received bytes are acknowledged each time ack_bytes more have come, counted in UTF-8", () => {
  start();
  const push = { jsonrpc: "2.0", method: "room.sent", params: { text: "数学数学数学" } };
  const bytes = utf8Length(JSON.stringify(push));
  runtime.socket.deliver(push);
  assert.ok(bytes < 100);
  assert.deepEqual(runtime.socket.methods, []);
  runtime.socket.deliver(push);
  assert.deepEqual(runtime.socket.sent, [
    { jsonrpc: "2.0", method: "session.ack", params: { received: 2 * bytes } },
  ]);
});

test("a reply is handed on before the push behind it in the same frame", () => {
  start();
  connection.request("room.join", {}, 1000, () => seen.push("joined"));
  const { id } = runtime.socket.lastRequest("room.join");
  runtime.socket.deliver([
    { jsonrpc: "2.0", id, result: {} },
    { jsonrpc: "2.0", method: "room.sent", params: { seq: 1 } },
  ]);
  assert.deepEqual(seen, ["opened", "joined", ["room.sent", { seq: 1 }]]);
});

test("an error reply rejects with the server's name, and says whether to try again", () => {
  start();
  const outcome = call("room.send");
  const { id } = runtime.socket.lastRequest("room.send");
  const data = { name: "too_often", retryable: true, retry_after_ms: 250 };
  runtime.socket.deliver({ jsonrpc: "2.0", id, error: { code: 3, message: "Slower.", data } });
  assert.equal(outcome.error.name, "too_often");
  assert.equal(outcome.error.code, 3);
  assert.equal(outcome.error.retryable, true);
  assert.equal(outcome.error.retryAfterMs, 250);
});

test("a call that is not answered in time fails, and its late answer is nothing", async () => {
  start();
  const outcome = call("room.members", 500);
  await runtime.advance(500);
  assert.equal(outcome.error.name, "timeout");
  runtime.socket.answer("room.members", { members: [] });
  assert.equal(outcome.result, null);
});

test("calls under way fail when the connection is lost, after it was said that it is", () => {
  start();
  connection.request("room.send", {}, 1000, (error) => seen.push(error?.name));
  runtime.socket.drop(1006);
  assert.deepEqual(seen, ["opened", "lost", "connection_lost"]);
  assert.equal(call("room.send").error.name, "connection_lost");
});

test("the server's notice says how it ends, also when the close event never comes", async () => {
  start();
  const params = { code: 1012, name: "server_restart", reconnect: true, delay_ms: 5 };
  runtime.socket.deliver({ jsonrpc: "2.0", method: "session.closing", params });
  assert.deepEqual(seen, ["opened"]);
  await runtime.advance(1000);
  assert.deepEqual(seen, ["opened", "server_restart"]);
});

test("a stale socket's events are ignored", () => {
  start();
  const [stale] = runtime.sockets;
  connection.close();
  connection = connect();
  runtime.socket.open();
  stale.deliver({ jsonrpc: "2.0", method: "room.sent", params: {} });
  stale.drop(1006);
  stale.open();
  assert.deepEqual(seen, ["opened", "opened"]);
});

test("a socket that does not open is given up, and one that is refused says so", async () => {
  await runtime.advance(8000);
  assert.deepEqual(seen, ["lost"]);
  connect();
  runtime.socket.drop(1006);
  assert.deepEqual(seen, ["lost", "lost"]);
});

test("bytes that are no message end the connection", () => {
  start();
  runtime.socket.deliverText("<html>502</html>");
  assert.deepEqual(seen, ["opened", "lost"]);
});

test("a probe asks for a sign of life, unless there was one just now", async () => {
  start();
  connection.probe();
  assert.deepEqual(runtime.socket.methods, []);
  await runtime.advance(1500);
  connection.probe();
  assert.deepEqual(runtime.socket.methods, ["session.ping"]);
});

/** @param {...string} methods in one frame */
const pushes = (...methods) => methods.map((method) => ({ jsonrpc: "2.0", method, params: {} }));

test("a slow application: a frame is handed on in slices, replies and the end of the connection in their place", async () => {
  runtime.socket.open();
  seen = [];
  const slow = seen;
  const push = slow.push.bind(slow);
  slow.push = (...what) => {
    runtime.freeze(5);
    return push(...what);
  };
  connection.request("a.b", {}, 10_000, () => push("answer"));
  runtime.socket.deliver([...pushes("x.a", "x.b", "x.c"), { jsonrpc: "2.0", id: 1, result: {} }, ...pushes("x.d")]);
  runtime.socket.drop(1006);
  assert.deepEqual([slow.length, frames], [2, 0]);
  await runtime.advance(50);
  assert.deepEqual(slow.map((what) => (Array.isArray(what) ? what[0] : what)), ["x.a", "x.b", "x.c", "answer", "x.d", "lost"]);
  assert.equal(frames, 1);
});

test("bytes count as received when they were handed on", async () => {
  runtime.socket.open();
  connection.start({ heartbeatMs: 3000, ackBytes: 10 });
  const push = seen.push.bind(seen);
  seen.push = (...what) => {
    runtime.freeze(9);
    return push(...what);
  };
  runtime.socket.deliver(pushes("x.a", "x.b"));
  assert.deepEqual(runtime.socket.methods, []);
  await runtime.advance(20);
  assert.deepEqual(runtime.socket.methods, ["session.ack"]);
});

test("closed in the middle of a frame, it hands on nothing more of it", async () => {
  runtime.socket.open();
  const push = seen.push.bind(seen);
  seen.push = (...what) => {
    connection.close();
    return push(...what);
  };
  runtime.socket.deliver(pushes("x.a", "x.b"));
  await runtime.advance(50);
  assert.deepEqual([seen.length, frames], [2, 0]); // opened, x.a
});
