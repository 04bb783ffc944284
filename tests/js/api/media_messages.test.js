/** Messages with files and images: how they travel, what arrives, what is passed over (docs/contract.md 4 and 5). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, VENDORS, assertError, failure, logIn } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {RtmClient} */
let bob;
/** @type {any[]} what bob was told of peers */
let heard;

const MEDIA = "a".repeat(32);
const IMAGE = { messageType: "IMAGE", mediaId: MEDIA };

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  bob = await logIn(runtime, "bob");
  heard = [];
  bob.on("MessageFromPeer", (...args) => heard.push(args));
});

/** A thumbnail whose bytes are read when the test says so. */
function slowThumbnail() {
  let read = () => {};
  const thumbnail = new Blob([new Uint8Array([1, 2, 3])]);
  const bytes = new Promise((resolve) => (read = () => resolve(new Uint8Array([1, 2, 3]).buffer)));
  return { thumbnail: Object.assign(thumbnail, { arrayBuffer: () => bytes }), read };
}

/** @param {any[]} told */
const kinds = (told) => told.map(([message]) => message.text ?? message.messageType);

test("login says that it takes files and images", () => {
  const [{ client }] = server.paramsOf("session.login");
  assert.deepEqual(client.capabilities, ["media"]);
});

test("a known file is sent with as little as its id, and arrives with what the server knows", async () => {
  const message = ann.createMessage({ messageType: "FILE", mediaId: MEDIA });
  assert.deepEqual(await after(runtime, ann.sendMessageToPeer(message, "bob")), { hasPeerReceived: true });
  assert.deepEqual(server.paramsOf("peer.send")[0].message, { type: "FILE", media: MEDIA });
  const [told, from, props] = heard[0];
  assert.deepEqual([from, props.isOfflineMessage], ["ann", false]);
  assert.deepEqual(told, {
    mediaId: MEDIA,
    fileName: "of another day",
    description: "",
    thumbnail: undefined,
    size: 7,
    messageType: "FILE",
  });
});

test("an image travels with its thumbnail, and arrives with it and the server's measures", async () => {
  const thumbnail = new Blob([new Uint8Array([0, 255, 7])]);
  const image = { ...IMAGE, fileName: "a.png", description: "d", thumbnailWidth: 8, thumbnailHeight: 6, width: 1 };
  const sending = ann.sendMessageToPeer({ ...image, thumbnail }, "bob");
  await thumbnail.arrayBuffer();
  await after(runtime, sending);
  const sent = { type: "IMAGE", media: MEDIA, name: "a.png", description: "d", thumbnail: "AP8H" };
  const own = { thumbnail_width: 8, thumbnail_height: 6 };
  assert.deepEqual(server.paramsOf("peer.send")[0].message, { ...sent, ...own });
  const [{ thumbnail: arrived, ...told }] = heard[0];
  assert.deepEqual([...new Uint8Array(await arrived.arrayBuffer())], [0, 255, 7]);
  assert.deepEqual(told, {
    mediaId: MEDIA,
    fileName: "a.png",
    description: "d",
    size: 7,
    messageType: "IMAGE",
    width: 640,
    height: 480,
    thumbnailWidth: 8,
    thumbnailHeight: 6,
  });
});

test("what is sent after an image goes after it, though its thumbnail has to be read", async () => {
  const channel = ann.createChannel("math");
  await after(runtime, channel.join());
  const [one, other] = [slowThumbnail(), slowThumbnail()];
  const sendings = [
    ann.sendMessageToPeer({ text: "before" }, "bob"),
    ann.sendMessageToPeer({ ...IMAGE, thumbnail: one.thumbnail }, "bob"),
    ann.sendMessageToPeer({ text: "between" }, "bob"),
    ann.sendMessageToPeers({ ...IMAGE, messageType: "FILE", thumbnail: other.thumbnail }, ["bob"]),
    channel.sendMessage({ text: "behind" }),
  ];
  await runtime.advance(50);
  assert.deepEqual(kinds(heard), ["before"]);
  other.read();
  await runtime.advance(50);
  assert.deepEqual(kinds(heard), ["before"]);
  one.read();
  await after(runtime, Promise.all(sendings));
  assert.deepEqual(kinds(heard), ["before", "IMAGE", "between", "FILE"]);
  assert.deepEqual(server.requests.filter(({ method }) => /\.send/.test(method)).map(({ method }) => method), [
    "peer.send",
    "peer.send",
    "peer.send",
    "peer.send_many",
    "room.send",
  ]);
  // Where nothing is read, nothing waits: not even for the end of this task.
  ann.sendMessageToPeer({ text: "last" }, "bob").catch(() => {});
  await after(runtime, ann.logout());
  assert.equal(kinds(heard).at(-1), "last");
});

test("a thumbnail that cannot be read fails its message, and holds up no other", async () => {
  const thumbnail = Object.assign(new Blob(["x"]), { arrayBuffer: () => Promise.reject(new Error("gone")) });
  const failing = failure(ann.sendMessageToPeer({ ...IMAGE, thumbnail }, "bob"));
  await after(runtime, ann.sendMessageToPeer({ text: "behind" }, "bob"));
  assertError(await failing, AGORA, "PEER_MESSAGE_ERR", "FAILURE");
  assert.deepEqual(kinds(heard), ["behind"]);
});

test("who logs out while a thumbnail is read has not sent it", async () => {
  const channel = ann.createChannel("math");
  await after(runtime, channel.join());
  const { thumbnail, read } = slowThumbnail();
  const [toPeer, toRoom] = [ann.sendMessageToPeer({ ...IMAGE, thumbnail }, "bob"), channel.sendMessage({ text: "behind" })];
  const errors = Promise.all([failure(toPeer), failure(toRoom)]);
  await after(runtime, ann.logout());
  read();
  const [first, second] = await errors;
  assertError(first, AGORA, "PEER_MESSAGE_ERR", "USER_NOT_LOGGED_IN");
  assertError(second, AGORA, "CHANNEL_MESSAGE_ERR", "USER_NOT_LOGGED_IN");
});

test("a channel's members get it, its author does not, and the history has it", async () => {
  const [own, other] = [ann.createChannel("math"), bob.createChannel("math")];
  await after(runtime, Promise.all([own.join(), other.join()]));
  /** @type {any[]} */
  const told = [];
  own.on("ChannelMessage", () => assert.fail("nobody gets their own"));
  other.on("ChannelMessage", (...args) => told.push(args));
  await after(runtime, own.sendMessage(IMAGE));
  await after(runtime, ann.sendMessageToPeer(IMAGE, "bob", { enableHistoricalMessaging: true }));
  const [[message, from]] = told;
  assert.deepEqual([message.mediaId, message.width, from], [MEDIA, 640, "ann"]);
  const [inRoom, ofPeer] = await after(
    runtime,
    Promise.all([bob.getMessageHistory({ channelId: "math" }), bob.getMessageHistory({ peerId: "ann" })]),
  );
  for (const { messages } of [inRoom, ofPeer]) assert.deepEqual(messages.map((each) => each.message), [message]);
});

test("one that was kept for a user who was away comes as such", async () => {
  await after(runtime, bob.logout(), 600);
  await after(runtime, ann.sendMessageToPeer(IMAGE, "bob", { enableOfflineMessaging: true }));
  await after(runtime, bob.login({ uid: "bob" }));
  assert.deepEqual(heard.map(([{ mediaId }, , { isOfflineMessage }]) => [mediaId, isOfflineMessage]), [[MEDIA, true]]);
});

test("what stands in the place of a message that is not to be seen calls nobody, and leaves no gap", async () => {
  const channel = bob.createChannel("math");
  await after(runtime, channel.join());
  /** @type {string[]} */
  const texts = [];
  channel.on("ChannelMessage", ({ text }) => texts.push(text));
  server.appendToRoom("math", "stream.skipped", "ann", "x1", {});
  server.appendToRoom("math", "stream.tombstone", "ann", "x2", {});
  server.appendToRoom("math", "room.message_deleted", "", "x3", { seq: 2, message_id: "x2" });
  server.write("math", "after them");
  server.appendToInbox("bob", "stream.skipped", "ann", "x4", {});
  server.writeTo("bob", "after it");
  await runtime.advance(50);
  assert.deepEqual([texts, kinds(heard)], [["after them"], ["after it"]]);
  assert.deepEqual(server.paramsOf("stream.read").filter(({ stream }) => stream === "room:math").length, 1, "its epoch");
  assert.deepEqual(server.paramsOf("inbox.ack").at(-1), { seq: 2 });
});

test("what is sent again under its id over a lost connection is one message", async () => {
  server.cutNext("peer.send");
  await after(runtime, ann.sendMessageToPeer(IMAGE, "bob"), 5000);
  assert.deepEqual(kinds(heard), ["IMAGE"]);
});

/** What is no message. */
const WRONG = /** @type {any[]} */ ([
  { ...IMAGE, mediaId: 7 },
  { ...IMAGE, fileName: 7 },
  { ...IMAGE, description: null },
  { ...IMAGE, thumbnail: "x" },
  { ...IMAGE, rawMessage: new Uint8Array(1) },
]);

test("a wrong shape is told at once, a size that no project has as well", async () => {
  for (const message of WRONG) {
    assertError(await failure(ann.sendMessageToPeer(message, "bob")), AGORA, "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
  }
  const thumbnail = new Blob(["x".repeat(40_960)]);
  const large = { ...IMAGE, thumbnail, description: "d" };
  assertError(await failure(ann.sendMessageToPeer(large, "bob")), AGORA, "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
  assert.deepEqual(server.paramsOf("peer.send"), []);
});

for (const vendor of VENDORS) {
  test(`${vendor.name}: what the server refuses has its name and number`, async () => {
    const client = await logIn(runtime, "cal", vendor);
    const channel = client.createChannel("math");
    await after(runtime, channel.join());
    for (const [refusal, toPeer, toRoom] of [
      ["incompatible_message", "INCOMPATIBLE_MESSAGE", "FAILURE"],
      ["media_not_found", "FAILURE", "FAILURE"],
      ["size_overflow", "INVALID_MESSAGE", "INVALID_MESSAGE"],
      ["invalid_params", "INVALID_MESSAGE", "INVALID_MESSAGE"],
    ]) {
      server.refuseNext("peer.send", rpcError(26, refusal));
      server.refuseNext("room.send", rpcError(26, refusal));
      const [one, other] = [client.sendMessageToPeer(IMAGE, "bob"), channel.sendMessage(IMAGE)];
      const errors = Promise.all([failure(one), failure(other)]);
      const [first, second] = await after(runtime, errors);
      assertError(first, vendor, "PEER_MESSAGE_ERR", toPeer);
      assertError(second, vendor, "CHANNEL_MESSAGE_ERR", toRoom);
      assert.equal(first.cause.name, refusal);
    }
    server.answerNext("peer.send_many", { received: {}, failed: { bob: "incompatible_message" } });
    const outcomes = await after(runtime, client.sendMessageToPeers(IMAGE, ["bob"]));
    assert.deepEqual(outcomes, { bob: { hasPeerReceived: false, failure: "incompatible_message" } });
  });
}
