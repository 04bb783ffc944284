/** Messages to users and channels: shapes, limits, order of checks, what arrives (docs/contract.md 2, 4, 5 and 13). */

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
/** @type {RtmClient} */
let bob;
/** @type {any[]} */
let heard;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  bob = await logIn(runtime, "bob");
  heard = [];
  bob.on("MessageFromPeer", (...args) => heard.push(args));
});

test("a message to a peer arrives with its sender and its time, and is received", async () => {
  const result = await after(runtime, ann.sendMessageToPeer({ text: "hi" }, "bob"));
  assert.deepEqual(result, { hasPeerReceived: true });
  const [message, peerId, props] = heard[0];
  assert.deepEqual([message, peerId], [{ text: "hi", messageType: "TEXT" }, "ann"]);
  const { ts } = server.inbox("bob").entries[0];
  assert.deepEqual(props, { serverReceivedTs: ts, isOfflineMessage: false, isHistoricalMessage: false });
});

test("bytes arrive as bytes, also many and of all values", async () => {
  const rawMessage = Uint8Array.from({ length: 32 * 1024 - 1 }, (_, at) => at % 256);
  await after(runtime, ann.sendMessageToPeer({ rawMessage, description: "d" }, "bob"));
  assert.deepEqual(heard[0][0], { rawMessage, description: "d", messageType: "RAW" });
  await after(runtime, ann.sendMessageToPeer({ rawMessage: Buffer.from("abc") }, "bob"));
  assert.deepEqual(heard[1][0], { rawMessage: new Uint8Array([97, 98, 99]), description: "", messageType: "RAW" });
});

test("a message kept for a peer who was away comes as such", async () => {
  await after(runtime, bob.logout(), 600);
  const kept = await after(runtime, ann.sendMessageToPeer({ text: "kept" }, "bob", { enableOfflineMessaging: true }));
  const lost = await after(runtime, ann.sendMessageToPeer({ text: "lost" }, "bob"));
  assert.deepEqual([kept, lost], [{ hasPeerReceived: false }, { hasPeerReceived: false }]);
  await after(runtime, bob.login({ uid: "bob" }));
  assert.deepEqual(heard.map(([{ text }, , { isOfflineMessage }]) => [text, isOfflineMessage]), [["kept", true]]);
});

test("the flags of a message go to the server, for a channel the one it knows", async () => {
  const options = { enableOfflineMessaging: true, enableHistoricalMessaging: true };
  const channel = ann.createChannel("math");
  await after(runtime, channel.join());
  await after(runtime, ann.sendMessageToPeer({ text: "a" }, "bob", options));
  await after(runtime, channel.sendMessage({ text: "a" }, options));
  const [peer] = server.paramsOf("peer.send");
  assert.deepEqual([peer.offline, peer.historical], [true, true]);
  assert.equal(server.paramsOf("room.send")[0].historical, true);
});

test("a legacy endCall arrives as an ordinary message", async () => {
  const text = `${AGORA.rtm.END_CALL_PREFIX}_math_1_`;
  await after(runtime, ann.sendMessageToPeer({ text }, "bob"));
  assert.equal(heard[0][0].text, text);
});

test("createMessage gives its argument back, sending writes the type into it", async () => {
  const message = { text: "hi" };
  assert.equal(ann.createMessage(message), message);
  assert.deepEqual(message, { text: "hi" });
  await after(runtime, ann.sendMessageToPeer(message, "bob"));
  assert.deepEqual(message, { text: "hi", messageType: "TEXT" });
});

test("a message that cannot be written into is sent as it is, and so is one with more in it", async () => {
  await after(runtime, ann.sendMessageToPeer(Object.freeze({ text: "frozen" }), "bob"));
  await after(runtime, ann.sendMessageToPeer({ text: "more", mediaId: "x", mood: "well" }, "bob"));
  assert.deepEqual(heard.map(([message]) => message), [
    { text: "frozen", messageType: "TEXT" },
    { text: "more", messageType: "TEXT" },
  ]);
});

/** What is no message. */
const WRONG_SHAPES = /** @type {any[]} */ ([
  undefined,
  null,
  "hi",
  [],
  {},
  { text: 7 },
  { text: "hi", messageType: "RAW" },
  { text: "hi", messageType: "LOUD" },
  { messageType: "TEXT" },
  { rawMessage: [1] },
  { rawMessage: new ArrayBuffer(1) },
  { text: "hi", rawMessage: new Uint8Array(1) },
  { rawMessage: new Uint8Array(1), description: 7 },
  { messageType: "FILE" },
  { messageType: "constructor" },
  { messageType: "IMAGE", mediaId: "x", text: "hi" },
]);

for (const message of WRONG_SHAPES) {
  test(`no message, logged in or not: ${JSON.stringify(message)}`, async () => {
    const stranger = makeClient(runtime);
    const channel = ann.createChannel("math");
    await after(runtime, channel.join());
    for (const client of [stranger, ann]) {
      assertError(await failure(client.sendMessageToPeer(message, "")), AGORA, "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
    }
    for (const each of [stranger.createChannel("math"), channel]) {
      assertError(await failure(each.sendMessage(message)), AGORA, "CHANNEL_MESSAGE_ERR", "INVALID_MESSAGE");
    }
    assert.deepEqual(server.paramsOf("peer.send"), []);
  });
}

test("order of checks: shape, login, peer, length", async () => {
  const stranger = makeClient(runtime);
  const long = { text: "x".repeat(50_000) };
  const wrongPeers = /** @type {any[]} */ (["", "null", "ä", 7, undefined, "a".repeat(65)]);
  assertError(await failure(stranger.sendMessageToPeer(long, "")), AGORA, "PEER_MESSAGE_ERR", "USER_NOT_LOGGED_IN");
  for (const peer of wrongPeers) {
    assertError(await failure(ann.sendMessageToPeer(long, peer)), AGORA, "PEER_MESSAGE_ERR", "INVALID_USERID");
  }
  assertError(await failure(ann.sendMessageToPeer(long, "bob")), AGORA, "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
});

test("what a project may allow at most is the server's to judge, what none may is not sent", async () => {
  const channel = ann.createChannel("math");
  await after(runtime, channel.join());
  const bytes = { rawMessage: new Uint8Array(40_960 - 2), description: "dd" };
  await after(runtime, ann.sendMessageToPeer({ text: "ä".repeat(20_480) }, "bob"));
  await after(runtime, ann.sendMessageToPeer(bytes, "bob"));
  assert.equal(server.paramsOf("peer.send").length, 2);
  for (const message of [{ text: `${"ä".repeat(20_480)}x` }, { ...bytes, description: "ddd" }]) {
    assertError(await failure(ann.sendMessageToPeer(message, "bob")), AGORA, "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
    assertError(await failure(channel.sendMessage(message)), AGORA, "CHANNEL_MESSAGE_ERR", "INVALID_MESSAGE");
  }
});

test("to many: who has it, and of whom that is not known", async () => {
  const sending = ann.sendMessageToPeers({ text: "hi" }, ["bob", "cal"]);
  assert.deepEqual(await after(runtime, sending), { bob: { hasPeerReceived: true }, cal: { hasPeerReceived: false } });
  server.answerNext("peer.send_many", { received: {}, failed: { bob: "expired" } });
  const unknown = await after(runtime, ann.sendMessageToPeers({ text: "hi" }, ["bob"]));
  assert.deepEqual(unknown, { bob: { hasPeerReceived: false, failure: "expired" } });
  for (const peers of /** @type {any[]} */ ([[], "bob", ["ä"], Array(1001).fill("bob")])) {
    const error = await failure(ann.sendMessageToPeers({ text: "hi" }, peers));
    assertError(error, AGORA, "PEER_MESSAGE_ERR", "INVALID_USERID");
  }
});

test("history: of a peer, and of a channel that is joined", async () => {
  await after(runtime, ann.sendMessageToPeer({ text: "hi" }, "bob", { enableHistoricalMessaging: true }));
  const page = await after(runtime, bob.getMessageHistory({ peerId: "ann", limit: 5 }));
  assert.deepEqual(server.paramsOf("peer.history")[0], { peer: "ann", limit: 5 });
  const [{ senderId, message, props }] = page.messages;
  assert.deepEqual([senderId, message.text, props.isHistoricalMessage], ["ann", "hi", true]);
  assert.equal((await failure(ann.getMessageHistory({ channelId: "math" }))).code, 5);
  const channel = ann.createChannel("math");
  await after(runtime, channel.join());
  await after(runtime, ann.setChannelAttributes("math", { topic: "x" }));
  server.write("math", "page 12");
  const past = await after(runtime, ann.getMessageHistory({ channelId: "math" }));
  const summary = past.messages.map(({ position, senderId: from, message: each }) => [position, from, each.text]);
  assert.deepEqual([summary, past.more], [[[2, "other", "page 12"]], false]);
});

test("history: one id is wanted, of somebody who is logged in", async () => {
  assert.equal((await failure(makeClient(runtime).getMessageHistory({ peerId: "bob" }))).code, 102);
  for (const query of /** @type {any[]} */ ([undefined, {}, { peerId: "ä" }, { peerId: "bob", channelId: "math" }])) {
    assert.equal((await failure(ann.getMessageHistory(query))).code, 2);
  }
});

test("a message of a later kind is passed over", async () => {
  server.appendToInbox("bob", "peer.sent", "ann", "x", { message: { type: "SMELL" } });
  server.writeTo("bob", "after it");
  await runtime.advance(50);
  assert.deepEqual(heard.map(([{ text }]) => text), ["after it"]);
});

test("to many: every uid has its outcome, in the order of the receivers, whatever it is called", async () => {
  const peers = ["constructor", "bob", "__proto__"];
  server.answerNext("peer.send_many", {
    received: JSON.parse('{"__proto__": true, "bob": false}'),
    failed: { constructor: "expired" },
  });
  const outcomes = await after(runtime, ann.sendMessageToPeers({ text: "hi" }, peers));
  assert.deepEqual(Object.entries(outcomes), [
    ["constructor", { hasPeerReceived: false, failure: "expired" }],
    ["bob", { hasPeerReceived: false }],
    ["__proto__", { hasPeerReceived: true }],
  ]);
});

test("what is sent is what was given, whatever becomes of it while the connection is away", async () => {
  server.isDown = true;
  server.cutAll();
  await runtime.advance(50);
  const peers = ["bob"];
  const message = { rawMessage: new Uint8Array([1, 2, 3]), description: "points" };
  const sending = ann.sendMessageToPeers(message, peers);
  peers[0] = "never / looked at";
  message.rawMessage.fill(0);
  message.description = "none";
  server.isDown = false;
  await after(runtime, sending, 5000);
  const [{ peers: sentTo, message: sent }] = server.paramsOf("peer.send_many");
  assert.deepEqual([sentTo, sent], [["bob"], { type: "RAW", raw: "AQID", description: "points" }]);
});
