/** Attributes of users and channels (docs/contract.md 7 and 13). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, assertError, failure, logIn, makeClient } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */

const GROUP = "ATTRIBUTE_OPERATION_ERR";

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {RtmClient} */
let stranger;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  stranger = makeClient(runtime);
});

test("a user's: set, added to, deleted, cleared, read by others", async () => {
  const bob = await logIn(runtime, "bob");
  await after(runtime, ann.setLocalUserAttributes({ name: "Ann", hand: "down" }));
  await after(runtime, ann.addOrUpdateLocalUserAttributes({ hand: "up", mood: "well" }));
  await after(runtime, ann.deleteLocalUserAttributesByKeys(["name"]));
  assert.deepEqual(await after(runtime, bob.getUserAttributes("ann")), { hand: "up", mood: "well" });
  assert.deepEqual(await after(runtime, bob.getUserAttributesByKeys("ann", ["hand", "name"])), { hand: "up" });
  await after(runtime, ann.clearLocalUserAttributes());
  assert.deepEqual(await after(runtime, bob.getUserAttributes("ann")), {});
});

test("a channel's: with who changed them and when", async () => {
  const options = { enableNotificationToChannelMembers: true };
  await after(runtime, ann.setChannelAttributes("math", { topic: "x", page: "1" }, options));
  await after(runtime, ann.addOrUpdateChannelAttributes("math", { page: "2" }));
  await after(runtime, ann.deleteChannelAttributesByKeys("math", ["topic"]));
  const { page, ...rest } = await after(runtime, ann.getChannelAttributes("math"));
  assert.deepEqual([Object.keys(page).sort(), rest], [["lastUpdateTs", "lastUpdateUserId", "value"], {}]);
  assert.deepEqual([page.value, page.lastUpdateUserId, page.lastUpdateTs > 0], ["2", "ann", true]);
  assert.deepEqual(Object.keys(await after(runtime, ann.getChannelAttributesByKeys("math", ["page"]))), ["page"]);
  await after(runtime, ann.clearChannelAttributes("math"));
  assert.deepEqual(await after(runtime, ann.getChannelAttributes("math")), {});
  assert.equal(server.paramsOf("room.set_attributes")[0].notify, true);
  assert.equal("notify" in server.paramsOf("room.update_attributes")[0], false);
});

test("compare-and-set: the revision that was read, and the conflict when it is another", async () => {
  await after(runtime, ann.setChannelAttributes("math", { page: "1" }));
  const { attributes, revision } = await after(runtime, ann.getChannelAttributes("math", { withRevision: true }));
  assert.deepEqual([attributes.page.value, revision], ["1", 1]);
  await after(runtime, ann.setChannelAttributes("math", { page: "2" }, { revision }));
  assert.equal(server.paramsOf("room.set_attributes").at(-1).revision, 1);
  server.refuseNext("room.set_attributes", rpcError(10, "revision_conflict", false, { revision: 2 }));
  const error = await failure(after(runtime, ann.setChannelAttributes("math", { page: "3" }, { revision })));
  assertError(error, AGORA, GROUP, "FAILURE");
  assert.deepEqual([error.cause.name, error.cause.data.revision], ["revision_conflict", 2]);
});

const long = "x".repeat(8192);
/** @param {number} count @param {string} value */
const many = (count, value) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, value]));

/** What nobody may set, logged in or not. */
const WRONG = /** @type {any[]} */ ([
  undefined,
  null,
  [],
  {},
  { a: "" },
  { a: 1 },
  { "": "x" },
  { " ": "x" },
  { "a\n": "x" },
  { "\u200b": "x" },
  { ["k".repeat(33)]: "x" },
  { ["ä".repeat(17)]: "x" },
]);

test("contents are looked at before the login", async () => {
  for (const attributes of WRONG) {
    for (const client of [stranger, ann]) {
      assertError(await failure(client.setLocalUserAttributes(attributes)), AGORA, GROUP, "INVALID_ARGUMENT");
      assertError(await failure(client.addOrUpdateChannelAttributes("", attributes)), AGORA, GROUP, "INVALID_ARGUMENT");
    }
  }
  assert.equal(server.paramsOf("user.set_attributes").length, 0);
});

/** At a limit, and one past it. */
/** @typedef {Record<string, string>} Values */
const LIMITS = /** @type {[owner: "user" | "channel", fits: Values, over: Values][]} */ ([
  ["user", { a: long }, { a: `${long}x` }],
  ["user", many(32, "v"), many(33, "v")],
  ["user", { a: long, b: "x".repeat(8190) }, { a: long, b: "x".repeat(8191) }],
  ["user", { a: "ä".repeat(4096) }, { a: `${"ä".repeat(4096)}x` }],
  ["channel", { a: long }, { a: `${long}x` }],
  ["channel", many(32, "v"), many(33, "v")],
  ["channel", { a: long, b: long, c: long, d: "x".repeat(8188) }, { a: long, b: long, c: long, d: "x".repeat(8189) }],
]);

for (const [owner, fits, over] of LIMITS) {
  test(`a ${owner}'s ${Object.keys(over).length} attributes of one more than fit`, async () => {
    /** @param {RtmClient} client @param {Record<string, string>} attributes */
    const set = (client, attributes) =>
      owner === "user" ? client.setLocalUserAttributes(attributes) : client.setChannelAttributes("math", attributes);
    assertError(await failure(set(stranger, fits)), AGORA, GROUP, "USER_NOT_LOGGED_IN");
    const error = await failure(set(stranger, over));
    assertError(error, AGORA, GROUP, "SIZE_OVERFLOW");
    assert.equal(error.name, "RtmLimitExceededError");
    // Whether the project has raised its limit only the server knows.
    await after(runtime, set(ann, over));
  });
}

test("more than any project may raise its limits to is not sent", async () => {
  const half = "x".repeat(20_478);
  for (const over of [{ a: "x".repeat(40_961) }, many(1025, "v"), { a: half, b: half, c: "xxx" }]) {
    assertError(await failure(ann.setLocalUserAttributes(over)), AGORA, GROUP, "SIZE_OVERFLOW");
    assertError(await failure(ann.setChannelAttributes("math", over)), AGORA, GROUP, "SIZE_OVERFLOW");
  }
  await after(runtime, ann.setLocalUserAttributes({ a: half, b: half, c: "x" }));
});

test("keys to delete are looked at before the login, and are a wrong status as with the vendor", async () => {
  const tooMany = Array(1025).fill("k");
  for (const keys of /** @type {any[]} */ ([undefined, null, [], "a", [""], [7], ["k".repeat(33)], tooMany])) {
    for (const client of [stranger, ann]) {
      for (const deleting of [
        client.deleteLocalUserAttributesByKeys(keys),
        client.deleteChannelAttributesByKeys("math", keys),
      ]) {
        const error = await failure(deleting);
        assertError(error, AGORA, GROUP, "INVALID_ARGUMENT");
        assert.equal(error.name, "RtmInvalidStatusError");
      }
    }
  }
  assertError(await failure(stranger.deleteLocalUserAttributesByKeys(["a"])), AGORA, GROUP, "USER_NOT_LOGGED_IN");
});

test("ids: of the plain readings before the login, of the others after it", async () => {
  for (const id of /** @type {any[]} */ ([undefined, "", 7, "ä", "null"])) {
    /** @param {RtmClient} client */
    const early = (client) => [client.getUserAttributes(id), client.getChannelAttributes(id)];
    /** @param {RtmClient} client */
    const late = (client) => [
      client.getUserAttributesByKeys(id, ["a"]),
      client.getChannelAttributesByKeys(id, ["a"]),
      client.setChannelAttributes(id, { a: "b" }),
      client.clearChannelAttributes(id),
    ];
    for (const reading of [...early(stranger), ...early(ann), ...late(ann)]) {
      assertError(await failure(reading), AGORA, GROUP, "INVALID_ARGUMENT");
    }
    for (const reading of late(stranger)) assertError(await failure(reading), AGORA, GROUP, "USER_NOT_LOGGED_IN");
  }
  for (const keys of /** @type {any[]} */ ([undefined, [], "a", [7]])) {
    assertError(await failure(ann.getUserAttributesByKeys("bob", keys)), AGORA, GROUP, "INVALID_ARGUMENT");
    assertError(await failure(ann.getChannelAttributesByKeys("math", keys)), AGORA, GROUP, "INVALID_ARGUMENT");
  }
});

test("what is not answered within 5 s is a time-out", async () => {
  server.isSilent = true;
  const calls = [ann.clearLocalUserAttributes(), ann.clearChannelAttributes("math"), ann.getChannelAttributes("math")];
  const errors = Promise.all(calls.map(failure));
  await runtime.advance(5000);
  for (const error of await errors) assertError(error, AGORA, GROUP, "TIMEOUT");
});

test("keys are taken as they are at the call", async () => {
  server.isDown = true;
  server.cutAll();
  await runtime.advance(50);
  const lists = Array.from({ length: 4 }, () => ["name"]);
  const calls = [
    ann.deleteLocalUserAttributesByKeys(lists[0]),
    ann.getUserAttributesByKeys("ann", lists[1]),
    ann.deleteChannelAttributesByKeys("math", lists[2]),
    ann.getChannelAttributesByKeys("math", lists[3]),
  ];
  for (const list of lists) list[0] = "\u0000 never looked at";
  server.isDown = false;
  await after(runtime, Promise.allSettled(calls), 5000);
  for (const method of ["user.delete", "user.get", "room.delete", "room.get"]) {
    assert.deepEqual(server.paramsOf(`${method}_attributes`).map(({ keys }) => keys), [["name"]], method);
  }
});
