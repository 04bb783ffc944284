/** Every error of the contract's table, provoked in both flavours (docs/contract.md 12). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA as AGORA_WAYS, ANYRTC as ANYRTC_WAYS } from "../../../static/rtm/api/flavours.js";
import { AGORA, APP_ID, NUMBERS, VENDORS, assertError, failure, makeClient, thrown } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
});

const text = () => ({ text: "hi" });
const blob = new Blob(["x"]);
const FILE = { messageType: /** @type {const} */ ("FILE") };

/** @typedef {import("../../../static/rtm/api/channel.js").RtmChannel} RtmChannel */
/** @typedef {(client: RtmClient, channel: RtmChannel) => Promise<unknown>} Ask */

/** @type {Record<string, [method: string, ask: Ask]>} what asks the server */
const CALLS = {
  LOGIN_ERR: ["session.login", (client) => client.login({ uid: "ann" })],
  RENEW_TOKEN_ERR: ["session.renew_token", (client) => client.renewToken("t")],
  PEER_MESSAGE_ERR: ["peer.send", (client) => client.sendMessageToPeer(text(), "bob")],
  JOIN_CHANNEL_ERR: ["room.join", (_, channel) => channel.join()],
  LEAVE_CHANNEL_ERR: ["room.leave", (_, channel) => channel.leave()],
  CHANNEL_MESSAGE_ERR: ["room.send", (_, channel) => channel.sendMessage(text())],
  GET_MEMBERS_ERR: ["room.members", (_, channel) => channel.getMembers()],
  GET_CHANNEL_MEMBER_COUNT_ERR: ["room.member_counts", (client) => client.getChannelMemberCount(["math"])],
  ATTRIBUTE_OPERATION_ERR: ["user.get_attributes", (client) => client.getUserAttributes("bob")],
  QUERY_PEERS_ONLINE_STATUS_ERR: ["presence.query", (client) => client.queryPeersOnlineStatus(["bob"])],
  PEER_SUBSCRIPTION_STATUS_ERR: ["presence.subscribe", (client) => client.subscribePeersOnlineStatus(["bob"])],
  QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR: [
    "presence.subscriptions",
    (client) => client.queryPeersBySubscriptionOption("ONLINE_STATUS"),
  ],
};

/**
 * What has to have happened before the server is asked.
 * @param {import("../support/clients.js").Vendor} vendor
 * @param {string} group
 */
async function prepare(vendor, group) {
  const client = makeClient(runtime, vendor);
  const channel = client.createChannel("math");
  if (group !== "LOGIN_ERR") await after(runtime, client.login({ uid: "ann" }));
  const isOfMember = ["LEAVE_CHANNEL_ERR", "CHANNEL_MESSAGE_ERR", "GET_MEMBERS_ERR"].includes(group);
  if (isOfMember) await after(runtime, channel.join());
  const [method, ask] = CALLS[group];
  return { method, ask: () => ask(client, channel) };
}

/** What the server refuses with, and how the group calls it. */
const REFUSALS = /** @type {const} */ ([
  ["LOGIN_ERR", "internal_failure", "UNKNOWN"],
  ["LOGIN_ERR", "banned", "REJECTED"],
  ["LOGIN_ERR", "invalid_params", "INVALID_ARGUMENT"],
  ["LOGIN_ERR", "invalid_app_id", "INVALID_APP_ID"],
  ["LOGIN_ERR", "invalid_token", "INVALID_TOKEN"],
  ["LOGIN_ERR", "token_expired", "TOKEN_EXPIRED"],
  ["LOGIN_ERR", "not_authorized", "NOT_AUTHORIZED"],
  ["RENEW_TOKEN_ERR", "internal_failure", "FAILURE"],
  ["RENEW_TOKEN_ERR", "invalid_params", "INVALID_ARGUMENT"],
  ["RENEW_TOKEN_ERR", "invalid_app_id", "REJECTED"],
  ["RENEW_TOKEN_ERR", "too_often", "TOO_OFTEN"],
  ["RENEW_TOKEN_ERR", "token_expired", "TOKEN_EXPIRED"],
  ["RENEW_TOKEN_ERR", "invalid_token", "INVALID_TOKEN"],
  ["PEER_MESSAGE_ERR", "rejected", "FAILURE"],
  ["PEER_MESSAGE_ERR", "too_often", "TOO_OFTEN"],
  ["PEER_MESSAGE_ERR", "size_overflow", "INVALID_MESSAGE"],
  ["PEER_MESSAGE_ERR", "incompatible_message", "INCOMPATIBLE_MESSAGE"],
  ["PEER_MESSAGE_ERR", "not_logged_in", "USER_NOT_LOGGED_IN"],
  ["CHANNEL_MESSAGE_ERR", "rejected", "FAILURE"],
  ["CHANNEL_MESSAGE_ERR", "too_often", "TOO_OFTEN"],
  ["CHANNEL_MESSAGE_ERR", "size_overflow", "INVALID_MESSAGE"],
  ["JOIN_CHANNEL_ERR", "internal_failure", "FAILURE"],
  ["JOIN_CHANNEL_ERR", "not_authorized", "REJECTED"],
  ["JOIN_CHANNEL_ERR", "invalid_params", "INVALID_ARGUMENT"],
  ["JOIN_CHANNEL_ERR", "limit_exceeded", "EXCEED_LIMIT"],
  ["JOIN_CHANNEL_ERR", "too_often", "TOO_OFTEN"],
  ["JOIN_CHANNEL_ERR", "join_same_room_too_often", "JOIN_SAME_CHANNEL_TOO_OFTEN"],
  ["LEAVE_CHANNEL_ERR", "internal_failure", "FAILURE"],
  ["LEAVE_CHANNEL_ERR", "not_authorized", "REJECTED"],
  ["GET_CHANNEL_MEMBER_COUNT_ERR", "internal_failure", "FAILURE"],
  ["GET_CHANNEL_MEMBER_COUNT_ERR", "too_often", "TOO_OFTEN"],
  ["GET_CHANNEL_MEMBER_COUNT_ERR", "limit_exceeded", "EXCEED_LIMIT"],
  ["ATTRIBUTE_OPERATION_ERR", "internal_failure", "FAILURE"],
  ["ATTRIBUTE_OPERATION_ERR", "invalid_params", "INVALID_ARGUMENT"],
  ["ATTRIBUTE_OPERATION_ERR", "size_overflow", "SIZE_OVERFLOW"],
  ["ATTRIBUTE_OPERATION_ERR", "too_often", "TOO_OFTEN"],
  ["ATTRIBUTE_OPERATION_ERR", "user_not_found", "USER_NOT_FOUND"],
  ["QUERY_PEERS_ONLINE_STATUS_ERR", "limit_exceeded", "INVALID_ARGUMENT"],
  ["QUERY_PEERS_ONLINE_STATUS_ERR", "internal_failure", "REJECTED"],
  ["QUERY_PEERS_ONLINE_STATUS_ERR", "too_often", "TOO_OFTEN"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "internal_failure", "FAILURE"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "invalid_params", "INVALID_ARGUMENT"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "not_authorized", "REJECTED"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "too_often", "TOO_OFTEN"],
  ["PEER_SUBSCRIPTION_STATUS_ERR", "limit_exceeded", "OVERFLOW"],
  ["QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR", "internal_failure", "FAILURE"],
  ["QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR", "too_often", "TOO_OFTEN"],
]);

for (const vendor of VENDORS) {
  for (const [group, refusal, name] of REFUSALS) {
    test(`${vendor.name}: the server refuses with ${refusal}: ${group}_${name}`, async () => {
      const retryable = refusal.endsWith("too_often");
      const { method, ask } = await prepare(vendor, group);
      server.refuseNext(method, rpcError(77, refusal, retryable));
      const error = await failure(after(runtime, ask(), 200));
      assertError(error, vendor, group, name);
      assert.deepEqual([error.serverCode, error.cause.name], [77, refusal]);
    });
  }

  for (const group of Object.keys(CALLS).filter((each) => "TIMEOUT" in NUMBERS[each])) {
    test(`${vendor.name}: no answer in time: ${group}_TIMEOUT`, async () => {
      const { ask } = await prepare(vendor, group);
      server.isSilent = true;
      const error = await failure(after(runtime, ask(), group === "LOGIN_ERR" ? 12_000 : 10_000));
      assertError(error, vendor, group, "TIMEOUT");
      assert.equal(error.name, "RtmTimeoutError");
    });
  }

  for (const [group, [, ask]] of Object.entries(CALLS).filter(([each]) => each !== "LOGIN_ERR")) {
    test(`${vendor.name}: before login: ${group}`, async () => {
      const client = makeClient(runtime, vendor);
      const error = await failure(ask(client, client.createChannel("math")));
      const name = group === "CHANNEL_MESSAGE_ERR" ? "NOT_IN_CHANNEL" : "USER_NOT_LOGGED_IN";
      assertError(error, vendor, group, name);
      assert.equal(error.name, "RtmInvalidStatusError");
      assert.equal(runtime.sockets.length, 0);
    });
  }

  test(`${vendor.name}: media: what is wrong is refused before anybody is asked`, async () => {
    const client = makeClient(runtime, vendor);
    /** @param {any} payload @param {any} [params] */
    const upload = (payload, params) => client.createMediaMessageByUploading(payload, params);
    const [sent, fetched] = ["UPLOAD_MEDIA_ERR", "DOWNLOAD_MEDIA_ERR"];
    /** @param {[string, Promise<unknown>, string][]} cases */
    const areRefused = async (cases) => {
      for (const [group, promise, name] of cases) assertError(await failure(promise), vendor, group, name);
    };
    await areRefused([
      [sent, upload(blob), "INVALID_ARGUMENT"],
      [sent, upload(blob, {}), "INVALID_ARGUMENT"],
      [sent, upload(blob, { messageType: "TEXT" }), "INVALID_ARGUMENT"],
      [sent, upload("x", FILE), "NOT_LOGGED_IN"],
      [fetched, client.downloadMedia(""), "INVALID_ARGUMENT"],
      [fetched, client.downloadMedia("x"), "NOT_LOGGED_IN"],
    ]);
    await after(runtime, client.login({ uid: "ann" }));
    const thumbnail = new Blob(["x".repeat(32 * 1024 - 8)]);
    const huge = Object.defineProperty(new Blob(["x"]), "size", { value: 100 * 1024 * 1024 + 1 });
    await areRefused([
      [sent, upload("x", FILE), "INVALID_ARGUMENT"],
      [sent, upload(blob, { ...FILE, thumbnail: "x" }), "INVALID_ARGUMENT"],
      [sent, upload(blob, { ...FILE, fileName: 7 }), "INVALID_ARGUMENT"],
      [sent, upload(blob, { ...FILE, description: 7 }), "INVALID_ARGUMENT"],
      [sent, upload(new Blob([]), FILE), "SIZE_OVERFLOW"],
      [sent, upload(huge, FILE), "SIZE_OVERFLOW"],
      [sent, upload(blob, { ...FILE, thumbnail, fileName: "name", description: "öö+" }), "SIZE_OVERFLOW"],
    ]);
    assert.deepEqual(server.paramsOf("media.start"), []);
  });

  test(`${vendor.name}: what throws`, () => {
    const client = makeClient(runtime, vendor);
    const short = thrown(() => vendor.rtm.createInstance(APP_ID.slice(1)));
    assertError(short, vendor, "CREATE_INSTANCE_ERR", "INVALID_ARGUMENT");
    assertError(thrown(() => client.createChannel("")), vendor, "CREATE_CHANNEL_ERR", "INVALID_ARGUMENT");
    const nobody = thrown(() => client.createLocalInvitation("ä"));
    assertError(nobody, vendor, "INVITATION_API_CALL_ERR", "INVALID_ARGUMENT");
  });
}

test("the numbers are the contract's, all of them", () => {
  for (const [flavour, at] of /** @type {const} */ ([[AGORA_WAYS, 0], [ANYRTC_WAYS, 1]])) {
    for (const [group, codes] of Object.entries(NUMBERS)) {
      const expected = Object.fromEntries(Object.entries(codes).map(([name, numbers]) => [name, numbers[at]]));
      const own = { ...flavour.errors[group] };
      delete own.GATEWAY_CONNECT_FAILED; // in anyRTC's enum, and never told
      assert.deepEqual(own, expected, group);
    }
  }
});

/** What the error is called, by what the server refuses with. */
const KINDS = /** @type {const} */ ([
  ["PEER_MESSAGE_ERR", "size_overflow", "RtmInvalidArgumentError"],
  ["PEER_MESSAGE_ERR", "not_logged_in", "RtmInvalidStatusError"],
  ["PEER_MESSAGE_ERR", "rejected", "RtmInternalError"],
  ["PEER_MESSAGE_ERR", "too_often", "RtmInvokeTooOftenError"],
  ["JOIN_CHANNEL_ERR", "limit_exceeded", "RtmLimitExceededError"],
  ["RENEW_TOKEN_ERR", "invalid_token", "RtmUnauthenticatedError"],
]);

for (const [group, refusal, name] of KINDS) {
  test(`${group} for ${refusal} is a ${name}`, async () => {
    const { method, ask } = await prepare(AGORA, group);
    server.refuseNext(method, rpcError(77, refusal, refusal === "too_often"));
    assert.equal((await failure(after(runtime, ask()))).name, name);
  });
}
