/** Online states and member counts (docs/contract.md 2 and 13). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, assertError, failure, logIn, makeClient } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {any[]} */
let told;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  told = [];
  ann.on("PeersOnlineStatusChanged", (states) => told.push(states));
});

test("who is online: only ONLINE is", async () => {
  server.come("bob");
  assert.deepEqual(await after(runtime, ann.queryPeersOnlineStatus(["bob", "cal"])), { bob: true, cal: false });
  server.answerNext("presence.query", { states: { bob: "UNREACHABLE" } });
  assert.deepEqual(await after(runtime, ann.queryPeersOnlineStatus(["bob"])), { bob: false });
});

test("subscribed: the states of all at once, then each change, until unsubscribed", async () => {
  server.come("bob");
  await after(runtime, ann.subscribePeersOnlineStatus(["bob", "cal"]));
  server.push("ann", "presence.changed", { states: { bob: "UNREACHABLE" } });
  await runtime.advance(50);
  assert.deepEqual(told, [{ bob: "ONLINE", cal: "OFFLINE" }, { bob: "UNREACHABLE" }]);
  assert.deepEqual(await after(runtime, ann.queryPeersBySubscriptionOption("ONLINE_STATUS")), ["bob", "cal"]);
  await after(runtime, ann.unsubscribePeersOnlineStatus(["bob"]));
  server.push("ann", "presence.changed", { states: { bob: "OFFLINE" } });
  await runtime.advance(50);
  assert.equal(told.length, 2);
});

test("a logout ends subscriptions", async () => {
  await after(runtime, ann.subscribePeersOnlineStatus(["bob"]));
  await after(runtime, ann.logout(), 600);
  await after(runtime, ann.login({ uid: "ann" }));
  assert.deepEqual(await after(runtime, ann.queryPeersBySubscriptionOption("ONLINE_STATUS")), []);
});

const GROUPS = /** @type {const} */ ([
  ["QUERY_PEERS_ONLINE_STATUS_ERR", "queryPeersOnlineStatus"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "subscribePeersOnlineStatus"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "unsubscribePeersOnlineStatus"],
  ["GET_CHANNEL_MEMBER_COUNT_ERR", "getChannelMemberCount"],
]);

/** The most ids that a project can allow, and what more are. */
const CEILINGS = /** @type {const} */ ({
  queryPeersOnlineStatus: [1024, "INVALID_ARGUMENT"],
  subscribePeersOnlineStatus: [2048, "OVERFLOW"],
  unsubscribePeersOnlineStatus: [2048, "OVERFLOW"],
  getChannelMemberCount: [1024, "EXCEED_LIMIT"],
});

for (const [group, method] of GROUPS) {
  test(`${method}: up to what a project may allow the server judges, more is not sent`, async () => {
    const [most, name] = CEILINGS[method];
    const ids = Array.from({ length: most + 1 }, (_, at) => `u${at}`);
    assertError(await failure(ann[method](ids)), AGORA, group, name);
    const asked = () => server.requests.filter((request) => !request.method.startsWith("session.")).length;
    const before = asked();
    // The server in memory answers what it does not know with an error.
    await after(runtime, ann[method](ids.slice(1)).then(() => {}, () => {}));
    assert.equal(asked(), before + 1);
  });

  test(`${method}: its argument is looked at after the login`, async () => {
    for (const ids of /** @type {any[]} */ ([undefined, null, [], "bob", [7], ["ä"], ["bob", ""]])) {
      assertError(await failure(makeClient(runtime)[method](ids)), AGORA, group, "USER_NOT_LOGGED_IN");
      const error = await failure(ann[method](ids));
      assertError(error, AGORA, group, "INVALID_ARGUMENT");
      assert.equal(error.name, "RtmInvalidArgumentError");
    }
  });
}

test("an option that does not exist", async () => {
  const error = await failure(ann.queryPeersBySubscriptionOption(/** @type {any} */ ("NOISE")));
  assertError(error, AGORA, "QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR", "FAILURE");
});

test("member counts", async () => {
  server.answerNext("room.member_counts", { counts: { math: 2, art: 0 } });
  assert.deepEqual(await after(runtime, ann.getChannelMemberCount(["math", "art"])), { math: 2, art: 0 });
  assert.deepEqual(server.paramsOf("room.member_counts"), [{ rooms: ["math", "art"] }]);
});

test("a list is taken as it is at the call: what becomes of it afterwards changes nothing", async () => {
  server.isDown = true;
  server.cutAll();
  await runtime.advance(50);
  const lists = Array.from({ length: 4 }, () => ["bob"]);
  const [asked, wanted, unwanted, counted] = lists;
  const calls = [
    ann.queryPeersOnlineStatus(asked),
    ann.subscribePeersOnlineStatus(wanted),
    ann.unsubscribePeersOnlineStatus(unwanted),
    ann.getChannelMemberCount(counted),
  ];
  for (const list of lists) list[0] = "never / looked at";
  server.isDown = false;
  server.answerNext("room.member_counts", { counts: { bob: 0 } });
  await after(runtime, Promise.all(calls), 5000);
  for (const method of ["presence.query", "presence.subscribe", "presence.unsubscribe"]) {
    assert.deepEqual(server.paramsOf(method), [{ uids: ["bob"] }], method);
  }
  assert.deepEqual(server.paramsOf("room.member_counts"), [{ rooms: ["bob"] }]);
});
