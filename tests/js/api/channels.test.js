/** RtmChannel (docs/contract.md 3). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, VENDORS, assertError, failure, logIn } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */
/** @typedef {import("../../../static/rtm/api/channel.js").RtmChannel} RtmChannel */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {RtmChannel} */
let channel;
/** @type {string[]} */
let heard;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  channel = ann.createChannel("math");
  heard = [];
  channel.on("ChannelMessage", ({ text }, memberId) => heard.push(`${memberId}: ${text}`));
  channel.on("MemberJoined", (memberId) => heard.push(`+${memberId}`));
  channel.on("MemberLeft", (memberId) => heard.push(`-${memberId}`));
  channel.on("MemberCountUpdated", (count) => heard.push(`count ${count}`));
  channel.on("AttributesUpdated", (attributes) => heard.push(`attributes ${Object.keys(attributes)}`));
});

const join = () => after(runtime, channel.join());

/** @param {any} params */
const counted = (params) => server.push("ann", "room.counted", { room: "math", ...params });

test("joined: the count, then what others do, nothing of one's own", async () => {
  server.enter("math", "bob");
  await join();
  assert.deepEqual(heard, ["count 2"]);
  server.enter("math", "cal");
  counted({ count: 3 });
  server.write("math", "hello", "cal");
  server.exit("math", "cal");
  counted({ count: 2 });
  await after(runtime, channel.sendMessage({ text: "hi" }));
  assert.deepEqual(heard, ["count 2", "+cal", "count 3", "cal: hello", "-cal", "count 2"]);
});

test("a message of one's uid that this client did not send is told", async () => {
  await join();
  server.write("math", "by REST", "ann");
  await runtime.advance(50);
  assert.deepEqual(heard.slice(1), ["ann: by REST"]);
});

test("attributes are told where the change asked for it, all of them", async () => {
  await join();
  await after(runtime, ann.setChannelAttributes("math", { topic: "x" }));
  const options = { enableNotificationToChannelMembers: true };
  await after(runtime, ann.addOrUpdateChannelAttributes("math", { page: "7" }, options));
  assert.deepEqual(heard.slice(1), ["attributes topic,page"]);
});

test("who is in", async () => {
  server.enter("math", "bob");
  await join();
  const members = await after(runtime, channel.getMembers());
  assert.deepEqual(members.sort(), ["ann", "bob"]);
});

test("left, nothing is told any more; the same object joins again and starts anew", async () => {
  await join();
  await after(runtime, channel.leave());
  server.write("math", "unheard");
  await runtime.advance(50);
  assertError(await failure(channel.sendMessage({ text: "hi" })), AGORA, "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
  assertError(await failure(channel.getMembers()), AGORA, "GET_MEMBERS_ERR", "NOT_IN_CHANNEL");
  assertError(await failure(channel.leave()), AGORA, "LEAVE_CHANNEL_ERR", "NOT_IN_CHANNEL");
  await join();
  server.write("math", "heard");
  await runtime.advance(50);
  assert.deepEqual(heard, ["count 1", "count 1", "other: heard"]);
});

for (const vendor of VENDORS) {
  test(`${vendor.name}: the second object of an id does not join beside the first`, async () => {
    const client = await logIn(runtime, "bob", vendor);
    const [first, second] = [client.createChannel("math"), client.createChannel("math")];
    assert.notEqual(first, second);
    const joining = first.join();
    const group = "JOIN_CHANNEL_ERR";
    assertError(await failure(first.join()), vendor, group, "ALREADY_JOINED");
    assertError(await failure(second.join()), vendor, group, "ALREADY_JOINED_CHANNEL_OF_SAME_ID");
    await after(runtime, joining);
    assertError(await failure(first.join()), vendor, group, "ALREADY_JOINED");
    assertError(await failure(second.join()), vendor, group, "ALREADY_JOINED_CHANNEL_OF_SAME_ID");
    assertError(await failure(second.sendMessage({ text: "hi" })), vendor, "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
    await after(runtime, first.leave());
    await after(runtime, second.join());
  });

  test(`${vendor.name}: leaving aborts the joining that is under way`, async () => {
    const client = await logIn(runtime, "bob", vendor);
    const own = client.createChannel("math");
    const joining = failure(own.join());
    await after(runtime, own.leave());
    assertError(await joining, vendor, "JOIN_CHANNEL_ERR", "ABORTED_BY_LEAVE");
    assert.equal(server.room("math").members.has("bob"), false);
    await after(runtime, own.join());
  });

  test(`${vendor.name}: a logout ends the joining that is under way`, async () => {
    const client = await logIn(runtime, "bob", vendor);
    const joining = failure(client.createChannel("math").join());
    await after(runtime, client.logout());
    assertError(await joining, vendor, "JOIN_CHANNEL_ERR", "USER_NOT_LOGGED_IN");
  });
}

test("a message under way when the channel is left is not said to be sent", async () => {
  await join();
  server.isSilent = true;
  const sending = failure(channel.sendMessage({ text: "hi" }));
  const leaving = failure(channel.leave());
  await runtime.advance(5000);
  assertError(await sending, AGORA, "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
  assertError(await leaving, AGORA, "LEAVE_CHANNEL_ERR", "FAILURE");
});

test("after a logout a channel is as before its joining, and can be joined with the next login", async () => {
  await join();
  await after(runtime, ann.logout(), 600);
  await after(runtime, ann.login({ uid: "ann" }));
  assertError(await failure(channel.sendMessage({ text: "hi" })), AGORA, "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
  server.write("math", "unheard");
  await runtime.advance(50);
  await join();
  assert.deepEqual(heard, ["count 1", "count 1"]);
});

test("a lost connection: what was said meanwhile is told once, in order", async () => {
  await join();
  server.cut("ann");
  server.write("math", "one");
  server.write("math", "two");
  await runtime.advance(5000);
  server.write("math", "three");
  await runtime.advance(50);
  assert.deepEqual(heard.slice(1), ["other: one", "other: two", "other: three"]);
});

test("a removed session: the channel is joined again by itself", async () => {
  await join();
  server.isDown = true;
  server.restart();
  await runtime.advance(1000);
  server.write("math", "meanwhile");
  server.isDown = false;
  await runtime.advance(40_000);
  await after(runtime, channel.sendMessage({ text: "back" }));
  assert.deepEqual(heard.slice(1), ["other: meanwhile"]);
  assert.equal(server.room("math").members.has("ann"), true);
});
