import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { RoomAttributes } from "../../../static/rtm/session/room_attributes.js";
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

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
});

const kept = () => server.logins.get("ann")?.attributes;

test("user: set replaces, update adds, remove and clear take away; others read them", async () => {
  const bob = await logIn(runtime, "bob");
  await after(runtime, ann.userAttributes.set({ name: "Ann", hand: "down" }));
  await after(runtime, ann.userAttributes.update({ hand: "up" }));
  assert.deepEqual(await after(runtime, bob.userAttributes.get("ann")), { name: "Ann", hand: "up" });
  assert.deepEqual(await after(runtime, bob.userAttributes.get("ann", ["hand"])), { hand: "up" });
  await after(runtime, ann.userAttributes.remove(["hand"]));
  assert.deepEqual(kept(), { name: "Ann" });
  await after(runtime, ann.userAttributes.clear());
  assert.deepEqual(kept(), {});
  assert.equal(await after(runtime, outcome(bob.userAttributes.get("cal"))), "user_not_found");
});

test("user: a resumed session has them still; one that was removed gets them back", async () => {
  await after(runtime, ann.userAttributes.set({ name: "Ann", hand: "down" }));
  await after(runtime, ann.userAttributes.update({ hand: "up" }));
  server.cutAll();
  await runtime.advance(5000);
  assert.equal(server.paramsOf("user.set_attributes").length, 1);
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual(kept(), { name: "Ann", hand: "up" });
});

test("user: what was refused is not restored", async () => {
  await after(runtime, ann.userAttributes.set({ name: "Ann" }));
  server.refuseNext("user.update_attributes", rpcError(9, "size_overflow"));
  assert.equal(await after(runtime, outcome(ann.userAttributes.update({ text: "long" }))), "size_overflow");
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual(kept(), { name: "Ann" });
});

test("user: a change that was under way when the session went comes after what is restored, however long that takes", async () => {
  await after(runtime, ann.userAttributes.set({ name: "Ann", hand: "down" }));
  const changed = ann.userAttributes.update({ hand: "up" });
  server.restart();
  for (let index = 0; index < 3; index++) server.refuseNext("user.set_attributes", rpcError(13, "unavailable", true));
  await after(runtime, changed, 5000);
  assert.deepEqual(kept(), { name: "Ann", hand: "up" });
});

test("user: the connection goes while they are restored: they are restored on the next", async () => {
  await after(runtime, ann.userAttributes.set({ name: "Ann" }));
  server.restart();
  server.refuseNext("user.set_attributes", rpcError(13, "unavailable", true));
  await runtime.advance(300);
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual(kept(), { name: "Ann" });
});

test("user: after a logout they are gone, and a late answer brings none back", async () => {
  await after(runtime, ann.userAttributes.set({ name: "Ann" }));
  const late = outcome(ann.userAttributes.update({ hand: "up" }));
  await after(runtime, ann.logout());
  assert.equal(await late, "aborted");
  await after(runtime, ann.login());
  server.restart();
  await runtime.advance(5000);
  assert.deepEqual(kept(), {});
});

test("room: anybody sets, updates, removes, clears and reads, with the revision after it", async () => {
  const attributes = new RoomAttributes(ann);
  assert.deepEqual(await after(runtime, attributes.set("math", { topic: "sin", page: "1" })), { seq: 1, revision: 1 });
  await after(runtime, attributes.update("math", { page: "2" }, { notify: true }));
  await after(runtime, attributes.remove("math", ["topic"]));
  const { attributes: all, revision } = await after(runtime, attributes.get("math"));
  assert.deepEqual([Object.keys(all), all.page.value, all.page.updated_by, revision], [["page"], "2", "ann", 3]);
  assert.deepEqual((await after(runtime, attributes.get("math", ["colour"]))).attributes, {});
  await after(runtime, attributes.clear("math"));
  assert.deepEqual(server.room("math").attributes, {});
  assert.deepEqual(server.room("math").entries.map(({ body }) => body.notify), [false, true, false, false]);
});

test("room: a change whose answer got lost is made once", async () => {
  server.cutNext("room.update_attributes");
  const attributes = new RoomAttributes(ann);
  assert.deepEqual(await after(runtime, attributes.update("math", { page: "1" }), 3000), { seq: 1, revision: 1 });
});

test("room: a change of another revision is refused, with the one there is", async () => {
  const attributes = new RoomAttributes(ann);
  await after(runtime, attributes.set("math", { page: "1" }, { revision: 0 }));
  const refused = attributes.set("math", { page: "2" }, { revision: 0 });
  await assert.rejects(after(runtime, refused), { name: "revision_conflict", data: { name: "revision_conflict", retryable: false, revision: 1 } });
});
