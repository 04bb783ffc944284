/** The module's objects: instances, servers, areas, logs, enums (docs/contract.md 1, 11 and 13). */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import anyrtc, * as anyrtcModule from "../../../static/rtm/anyrtc.js";
import { createAll, originOf } from "../../../static/rtm/api/module.js";
import agora, { AgoraRTM, ArRTM, RostrumRTM } from "../../../static/rtm/index.js";
import { Room } from "../../../static/rtm/session/room.js";
import { Session } from "../../../static/rtm/session/session.js";
import { AGORA, ANYRTC, APP_ID, VENDORS } from "../support/clients.js";
import { assertError, failure, makeClient, statesOf, thrown } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @type {FakeRuntime & {fetch?: any}} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {{url: string, init: any}[]} */
let fetched;
/** What `/rtm/endpoints` answers. @type {{area: string, url: string}[]} */
let endpoints;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  fetched = [];
  endpoints = [];
  runtime.fetch = async (/** @type {string} */ url, /** @type {any} */ init) => {
    fetched.push({ url, init });
    if (server.isDown) throw new TypeError("the request failed");
    return { json: async () => ({ endpoints }) };
  };
});

/** A module that nobody else has set anything in. @param {string | null} [origin] */
const fresh = (origin = "https://here.example") => createAll(origin);

test("the defaults are the two vendors' objects, and the third has what they are built on", () => {
  assert.equal(agora, AgoraRTM);
  assert.deepEqual(Object.keys(anyrtc), Object.keys(ArRTM));
  assert.deepEqual([RostrumRTM.Session, RostrumRTM.Room], [Session, Room]);
  assert.equal(RostrumRTM.createInstance, AgoraRTM.createInstance);
});

test("the classic script sets the globals of both", async () => {
  await import("../../../static/rtm/globals.js");
  const globals = /** @type {any} */ (globalThis);
  const names = ["AgoraRTM", "ArRTM", "RostrumRTM", "RtmClient", "RtmChannel", "LocalInvitation", "RemoteInvitation"];
  for (const name of [...names, "RtmErrorCode", "RtmStatusCode"]) assert.ok(name in globals, name);
  assert.equal(globals.RtmErrorCode.LoginError[8], "LOGIN_ERR_TIMEOUT");
});

for (const { name, rtm } of VENDORS) {
  test(`${name}: each value of an enum is its name`, () => {
    const names = /** @type {const} */ ([
      "ConnectionState", "ConnectionChangeReason", "LocalInvitationState", "RemoteInvitationState", "MessageType",
      "LocalInvitationFailureReason", "RemoteInvitationFailureReason", "PeerOnlineState", "PeerSubscriptionOption",
      "AreaCode",
    ]);
    for (const each of names) for (const [key, value] of Object.entries(rtm[each])) assert.equal(value, key);
  });

  test(`${name}: what is no App ID`, () => {
    const wrong = [undefined, "", APP_ID.slice(1), `${APP_ID}0`, "-".repeat(32), "ä".repeat(32), 7];
    for (const appId of /** @type {any[]} */ (wrong)) {
      assert.throws(() => rtm.createInstance(appId), { name: "RtmInvalidArgumentError", code: 1 });
    }
    for (const config of /** @type {any[]} */ ([null, 7, "x"])) {
      assert.throws(() => rtm.createInstance(APP_ID, config), { name: "RtmInvalidArgumentError", code: 1 });
    }
  });
}

test("Agora's log filters are five booleans, anyRTC's are numbers", () => {
  const own = /** @type {any} */ (AgoraRTM);
  const filters = ["OFF", "ERROR", "WARNING", "INFO", "DEBUG"].map((level) => own[`LOG_FILTER_${level}`]);
  assert.deepEqual(filters.map((filter) => Object.values(filter).filter(Boolean).length), [0, 1, 2, 3, 5]);
  assert.deepEqual(Object.keys(filters[0]), ["error", "warn", "info", "track", "debug"]);
  const ar = /** @type {any} */ (ArRTM);
  assert.deepEqual([ar.LOG_FILTER_INFO, ar.LOG_FILTER_WARNING, ar.LOG_FILTER_ERROR, ar.LOG_FILTER_OFF], [1, 2, 3, 4]);
  assert.equal(AgoraRTM.END_CALL_PREFIX, "AgoraRTMLegacyEndcallCompatibleMessagePrefix");
  assert.equal(ArRTM.END_CALL_PREFIX, "");
});

test("anyRTC's client is also made with new", () => {
  const client = new anyrtcModule.RtmClient(APP_ID, { server: "https://rtm.example" });
  assert.equal(client instanceof anyrtcModule.RtmClient, true);
  assert.equal(anyrtc.createInstance(APP_ID) instanceof anyrtcModule.RtmClient, true);
  assert.equal(client.createChannel("math") instanceof anyrtcModule.RtmChannel, true);
  assert.equal(client.createLocalInvitation("bob") instanceof anyrtcModule.LocalInvitation, true);
});

test("parameters are kept", () => {
  const { AgoraRTM: rtm } = fresh();
  assert.equal(rtm.getParameter("a"), undefined);
  rtm.setParameter("a", 1);
  assert.equal(rtm.getParameter("a"), 1);
});

/**
 * Where a client of this module connects to.
 * @param {typeof AgoraRTM} rtm
 * @param {object} [config]
 * @param {string[]} [areas]
 */
async function addressOf(rtm, config = {}, areas) {
  const client = rtm.createInstance(APP_ID, { runtime, logFilter: 4, ...config }, areas);
  await after(runtime, client.login({ uid: "ann" }), 1000);
  return runtime.socket.url;
}

test("the server: the config's, else the one that was set, else the script's", async () => {
  const { AgoraRTM: rtm, ArRTM: other } = fresh();
  assert.equal(await addressOf(rtm), "wss://here.example/rtm/ws");
  rtm.setServer("http://set.example:8000/");
  assert.equal(await addressOf(rtm), "ws://set.example:8000/rtm/ws");
  assert.equal(await addressOf(rtm, { server: "https://own.example/base/" }), "wss://own.example/base/rtm/ws");
  assert.equal(await addressOf(other), "wss://here.example/rtm/ws");
  assert.deepEqual(fetched, []);
});

test("no server, or none that could be one: said at login", async () => {
  for (const config of [{}, { server: "not an address" }]) {
    const client = fresh(null).AgoraRTM.createInstance(APP_ID, { runtime, logFilter: 4, ...config });
    const error = await failure(client.login({ uid: "ann" }));
    assertError(error, AGORA, "LOGIN_ERR", "INVALID_ARGUMENT");
    assert.match(error.message, /setServer/);
  }
});

test("a script's origin", () => {
  assert.equal(originOf("https://cdn.example/a/rtm-sdk.js?1"), "https://cdn.example");
  assert.deepEqual([originOf("file:///rtm-sdk.js"), originOf(undefined), originOf(null)], [null, null, null]);
});

test("a socket of the application's own making", async () => {
  /** @type {string[]} */
  const urls = [];
  const client = fresh().AgoraRTM.createInstance(APP_ID, {
    logFilter: 4,
    socketFactory: (url) => {
      urls.push(url);
      return runtime.openSocket(url);
    },
  });
  const login = failure(client.login({ uid: "ann" }));
  await client.logout();
  assert.equal((await login).code, 201);
  assert.deepEqual(urls, ["wss://here.example/rtm/ws"]);
});

/** What is no choice of areas. */
const WRONG_AREAS = /** @type {any[]} */ ([
  undefined,
  {},
  { areaCodes: [] },
  { areaCodes: "CHINA" },
  { areaCodes: ["MOON"] },
  { areaCodes: ["constructor"] },
  { areaCodes: ["CN"] },
  { areaCodes: ["CHINA"], excludedArea: "CHINA" },
  { areaCodes: ["GLOBAL"], excludedArea: "GLOBAL" },
  { areaCodes: ["GLOBAL"], excludedArea: "MOON" },
]);

for (const config of WRONG_AREAS) {
  test(`no choice of areas: ${JSON.stringify(config)}`, () => {
    assertError(thrown(() => fresh().AgoraRTM.setArea(config)), AGORA, "CREATE_INSTANCE_ERR", "INVALID_ARGUMENT");
  });
}

test("areas: createInstance takes the old codes, and no others", () => {
  const { AgoraRTM: rtm } = fresh();
  const config = { server: "https://rtm.example" };
  for (const code of ["CN", "NA", "EU", "AS", "JP", "IN", "GLOB", "OC", "SA", "AF", "OVS"]) {
    rtm.createInstance(APP_ID, config, [code]);
  }
  for (const codes of [[], ["GLOBAL"], ["CN", "EUROPE"], ["toString"]]) {
    const error = thrown(() => rtm.createInstance(APP_ID, config, codes));
    assertError(error, AGORA, "CREATE_INSTANCE_ERR", "INVALID_ARGUMENT");
  }
});

test("areas: only endpoints in them are connected to", async () => {
  endpoints = [
    { area: "CHINA", url: "https://cn.example" },
    { area: "EUROPE", url: "https://eu.example" },
  ];
  const { AgoraRTM: rtm } = fresh();
  rtm.setArea({ areaCodes: ["EUROPE", "ASIA"] });
  assert.equal(await addressOf(rtm), "wss://eu.example/rtm/ws");
  assert.deepEqual(fetched.map(({ url }) => url), ["https://here.example/rtm/endpoints"]);
  rtm.setArea({ areaCodes: ["GLOBAL"], excludedArea: "CHINA" });
  assert.equal(await addressOf(rtm), "wss://eu.example/rtm/ws");
  assert.equal(await addressOf(rtm, {}, ["CN"]), "wss://cn.example/rtm/ws");
  assert.equal(await addressOf(rtm, {}, ["OVS"]), "wss://eu.example/rtm/ws");
  rtm.setArea({ areaCodes: ["GLOBAL"] });
  assert.equal(await addressOf(rtm), "wss://here.example/rtm/ws");
});

test("areas: a server that names none is everybody's", async () => {
  const { AgoraRTM: rtm } = fresh();
  rtm.setArea({ areaCodes: ["EUROPE"] });
  assert.equal(await addressOf(rtm), "wss://here.example/rtm/ws");
});

test("areas: no endpoint in them: the login is refused, and says so", async () => {
  endpoints = [{ area: "CHINA", url: "https://cn.example" }];
  const client = makeClient(runtime, AGORA);
  const { AgoraRTM: rtm } = fresh();
  rtm.setArea({ areaCodes: ["EUROPE"] });
  const other = rtm.createInstance(APP_ID, { runtime, logFilter: 4 });
  const states = statesOf(other);
  const login = failure(other.login({ uid: "ann" }));
  assert.deepEqual(states, ["CONNECTING LOGIN"]);
  await runtime.advance(50);
  const error = await login;
  assertError(error, AGORA, "LOGIN_ERR", "REJECTED");
  assert.match(error.message, /EUROPE.*CHINA/);
  assert.deepEqual(states, ["CONNECTING LOGIN", "DISCONNECTED LOGIN_FAILURE"]);
  assert.equal(runtime.sockets.length, 0);
  assert.equal(client.uid, "");
});

test("areas: an endpoint that fails is followed by the next, a map out of reach is asked for again", async () => {
  endpoints = [
    { area: "EUROPE", url: "https://one.example" },
    { area: "EUROPE", url: "https://two.example" },
  ];
  const { AgoraRTM: rtm } = fresh();
  rtm.setArea({ areaCodes: ["EUROPE"] });
  server.isDown = true;
  const client = rtm.createInstance(APP_ID, { runtime, logFilter: 4 });
  const login = client.login({ uid: "ann" });
  await runtime.advance(1000);
  assert.equal(runtime.sockets.length, 0);
  server.isDown = false;
  server.refuseNext("session.login", rpcError(13, "unavailable", true));
  await runtime.advance(9000);
  await login;
  assert.deepEqual(runtime.sockets.map(({ url }) => url), ["wss://one.example/rtm/ws", "wss://two.example/rtm/ws"]);
});

test("the console gets what the filter lets through", async () => {
  const written = mock.method(console, "warn", () => {});
  const client = makeClient(runtime, ANYRTC, { logFilter: 3 });
  await failure(client.renewToken("t"));
  assert.equal(written.mock.callCount(), 0);
  client.updateConfig({ logFilter: 2 });
  await failure(client.renewToken("t"));
  client.setParameters({ logFilter: /** @type {any} */ (AgoraRTM).LOG_FILTER_OFF });
  await failure(client.renewToken("t"));
  assert.equal(written.mock.callCount(), 1);
  assert.match(String(written.mock.calls[0].arguments), /RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN/);
  written.mock.restore();
});

test("logs go to the server in batches where that is wanted, and never what messages say", async () => {
  const client = makeClient(runtime, AGORA, { enableLogUpload: true });
  await after(runtime, client.login({ uid: "ann", token: "t" }));
  await after(runtime, client.sendMessageToPeer({ text: "secret" }, "bob"));
  await failure(client.sendMessageToPeer({ text: "secret" }, "ä"));
  await runtime.advance(30_000);
  const [{ url, init }] = fetched;
  assert.deepEqual([url, init.method], ["https://rtm.example/rtm/logs", "POST"]);
  const { lines, ...head } = JSON.parse(init.body);
  assert.deepEqual(head, { app: APP_ID, uid: "ann", token: "t", sdk: "rostrum-js", version: AgoraRTM.VERSION });
  assert.deepEqual(lines.map((/** @type {any} */ { level, text }) => `${level} ${text}`), [
    "info CONNECTING LOGIN",
    "info CONNECTED LOGIN_SUCCESS",
    "warn PEER_MESSAGE_ERR_INVALID_USERID: not a valid id",
  ]);
  assert.equal(init.body.includes("secret"), false);
  await runtime.advance(60_000);
  assert.equal(fetched.length, 1);
});

test("a batch has at most 64 KB, and a server that takes none is no trouble", async () => {
  server.isDown = false;
  const client = makeClient(runtime, AGORA, { enableLogUpload: true });
  await after(runtime, client.login({ uid: "ann", token: "t".repeat(4096) }));
  server.isDown = true;
  for (let at = 0; at < 1000; at++) await failure(client.createMediaMessageByUploading(new Blob([]), {}));
  await after(runtime, client.logout());
  assert.ok(fetched.length > 1);
  for (const { init } of fetched) assert.ok(Buffer.byteLength(init.body) <= 64 * 1024);
  const lines = fetched.flatMap(({ init }) => JSON.parse(init.body).lines);
  assert.equal(lines.filter(({ level }) => level === "warn").length, 1000);
});

test("nothing is uploaded where that is not wanted", async () => {
  const client = makeClient(runtime);
  await after(runtime, client.login({ uid: "ann" }));
  await runtime.advance(60_000);
  await after(runtime, client.logout());
  assert.deepEqual(fetched, []);
});

test("who is logged out waits for nothing: what is logged then goes with the next login's batch", async () => {
  const client = makeClient(runtime, AGORA, { enableLogUpload: true });
  const idle = runtime.pendingTimers;
  await after(runtime, client.login({ uid: "ann" }));
  await after(runtime, client.logout(), 600);
  assert.equal(fetched.length, 1);
  await failure(client.renewToken("t"));
  assert.deepEqual([fetched.length, runtime.pendingTimers], [1, idle]);
  await after(runtime, client.login({ uid: "ann" }));
  await after(runtime, client.logout());
  const [first] = JSON.parse(fetched[1].init.body).lines;
  assert.equal(first.text, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN: not logged in");
});

test("a login that fails is told in the log, though nobody is logged in", async () => {
  const client = makeClient(runtime, AGORA, { enableLogUpload: true });
  server.isDown = true;
  await after(runtime, failure(client.login({ uid: "ann" })), 12_000);
  const texts = fetched.flatMap(({ init }) => JSON.parse(init.body).lines).map(({ text }) => text);
  assert.deepEqual(texts, ["CONNECTING LOGIN", "DISCONNECTED LOGIN_TIMEOUT"]);
});
