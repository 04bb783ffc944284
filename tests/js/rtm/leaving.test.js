import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { RoomAttributes } from "../../../static/rtm/session/room_attributes.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, logIn, outcome, say } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let session;
/** @type {Room} */
let room;
/** @type {string[]} */
let seen;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  session = await logIn(runtime, "me");
  seen = [];
  room = makeRoom();
  await after(runtime, room.join());
});

function makeRoom() {
  const made = new Room(session, "math");
  made.on("message", ({ body }) => seen.push(body.text));
  return made;
}

/** @param {Room} one leaves, the other joins @param {Room} other */
async function swap(one, other) {
  const left = outcome(one.leave());
  const joined = outcome(other.join());
  await runtime.advance(4000);
  assert.deepEqual([await left, await joined], ["done", "done"]);
}

/** The room is one's own: messages come and go. @param {Room} of */
async function assertIn(of) {
  assert.ok(server.room("math").members.has("me"));
  server.write("math", "hello");
  assert.equal(await outcome(after(runtime, of.send(say("hi")))), "done");
  assert.deepEqual(seen, ["hello", "hi"]);
}

test("leave and join while the connection is lost: the join comes behind, and one is in", async () => {
  server.cutAll();
  await runtime.advance(1);
  await swap(room, room);
  await assertIn(room);
});

test("leave and join by another object while the connection is lost: that one is in", async () => {
  const other = makeRoom();
  server.cutAll();
  await runtime.advance(1);
  await swap(room, other);
  await assertIn(other);
});

test("leave and join while the server is down, and has forgotten everybody in the end", async () => {
  server.restart();
  await swap(room, room);
  await assertIn(room);
});

test("leave and join while the leave waits behind a failure that passes", async () => {
  server.refuseNext("room.get_attributes", rpcError(20, "unavailable", true));
  const read = new RoomAttributes(session).get("math");
  await runtime.advance(15);
  await swap(room, room);
  await read;
  await assertIn(room);
});

test("leave and join where the leave was done, and its answer lost with the connection", async () => {
  server.cutNext("room.leave");
  await swap(room, room);
  await assertIn(room);
});

test("leave, join, leave while the connection is lost: the last word counts", async () => {
  server.cutAll();
  await runtime.advance(1);
  const first = outcome(room.leave());
  const joined = outcome(room.join());
  const second = outcome(room.leave());
  await runtime.advance(4000);
  assert.deepEqual([await first, await joined, await second], ["done", "aborted", "done"]);
  assert.equal(server.room("math").members.has("me"), false);
});

test("a leave that the server refuses does not keep one out", async () => {
  server.refuseNext("room.leave", rpcError(6, "not_authorized"));
  const left = outcome(room.leave());
  const joined = outcome(room.join());
  await runtime.advance(100);
  assert.deepEqual([await left, await joined], ["not_authorized", "done"]);
  await assertIn(room);
});

test("an object that has joined too is in again when another of the same room has left", async () => {
  const other = makeRoom();
  await after(runtime, other.join());
  await after(runtime, room.leave());
  await assertIn(other);
});

test("the server does not know of us: what is sent takes us in again, and is there once, in order", async () => {
  server.logins.get("me")?.rooms.delete("math");
  server.exit("math", "me");
  server.write("math", "meanwhile");
  const sent = ["a", "b", "c"].map((text) => outcome(room.send(say(text))));
  await runtime.advance(2000);
  assert.deepEqual(await Promise.all(sent), ["done", "done", "done"]);
  assert.deepEqual(seen, ["meanwhile", "a", "b", "c"]);
  assert.equal(server.paramsOf("room.join").length, 2);
});

test("the server does not know of us, and does not let us in: what is sent fails, and we are told", async () => {
  room.on("removed", ({ name }) => seen.push(name));
  server.logins.get("me")?.rooms.delete("math");
  server.refuseNext("room.join", rpcError(6, "not_authorized"));
  assert.equal(await outcome(after(runtime, room.send(say("a")), 2000)), "not_authorized");
  assert.deepEqual(seen, ["not_authorized"]);
});

test("a room that was left meanwhile is not entered again by an answer of then", async () => {
  server.logins.get("me")?.rooms.delete("math");
  const sent = outcome(room.send(say("a")));
  const left = room.leave();
  await after(runtime, left, 2000);
  assert.equal(await sent, "aborted");
  assert.equal(server.paramsOf("room.join").length, 1);
});
