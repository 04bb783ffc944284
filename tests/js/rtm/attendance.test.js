import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";
import { after, logIn } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let session;
/** @type {string[]} */
let seen;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  server.isStuttering = true;
  session = await logIn(runtime, "me");
  seen = [];
});

test("who leaves before the first list is told of, once, and the list changes nothing", async () => {
  const rooms = ["a", "b", "c"].map((name) => new Room(session, name));
  for (const each of rooms) {
    server.enter(each.name, "bob");
    each.on("left", (uid) => seen.push(`${each.name} -${uid}`));
    each.on("joined", (uid) => seen.push(`${each.name} +${uid}`));
    await after(runtime, each.join(), 20);
  }
  server.exit("c", "bob");
  await runtime.advance(10);
  assert.deepEqual(seen, ["c -bob"]);
  await runtime.advance(5000);
  assert.deepEqual(seen, ["c -bob"]);
  assert.deepEqual(rooms[2].members.uids, ["me"]);
  server.enter("c", "bob");
  server.exit("c", "bob");
  await runtime.advance(10);
  assert.deepEqual(seen, ["c -bob", "c +bob", "c -bob"]);
});

test("who comes and leaves before the first list is told of once each", async () => {
  const room = new Room(session, "art");
  room.on("joined", (uid) => seen.push(`+${uid}`));
  room.on("left", (uid) => seen.push(`-${uid}`));
  await after(runtime, room.join(), 20);
  server.enter("art", "bob");
  server.exit("art", "bob");
  server.enter("art", "cy");
  await runtime.advance(5000);
  server.push("me", "room.joined", { room: "art", uid: "cy" });
  await runtime.advance(10);
  assert.deepEqual(seen, ["+bob", "-bob", "+cy"]);
  assert.deepEqual(room.members.uids.sort(), ["cy", "me"]);
});
