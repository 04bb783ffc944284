/** Logging in and out, and the states that are told meanwhile (docs/contract.md 2, 6 and 13). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, ANYRTC, VENDORS, assertError, failure, logIn, makeClient, statesOf } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
});

test("a login tells CONNECTING at once, then CONNECTED, and then resolves", async () => {
  const client = makeClient(runtime);
  const states = statesOf(client);
  const login = client.login({ uid: "ann", token: "t" }).then(() => states.push("resolved"));
  assert.deepEqual(states, ["CONNECTING LOGIN"]);
  await after(runtime, login);
  assert.deepEqual(states, ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS", "resolved"]);
  const [{ uid, token, app }] = server.paramsOf("session.login");
  assert.deepEqual([uid, token, app], ["ann", "t", "0123456789abcdef0123456789abcdef"]);
  assert.equal(runtime.socket.url, "wss://rtm.example/rtm/ws");
});

for (const token of [null, undefined, ""]) {
  test(`a token of ${JSON.stringify(token)} is none`, async () => {
    const client = makeClient(runtime);
    await after(runtime, client.login({ uid: "ann", token }));
    assert.equal(server.paramsOf("session.login")[0].token, null);
  });
}

test("a server out of reach: not sooner than after 12 s DISCONNECTED, and then a time-out", async () => {
  server.isDown = true;
  const client = makeClient(runtime);
  const states = statesOf(client);
  const login = failure(client.login({ uid: "ann" }));
  await runtime.advance(11_999);
  assert.deepEqual(states, ["CONNECTING LOGIN"]);
  await runtime.advance(1);
  assert.deepEqual(states, ["CONNECTING LOGIN", "DISCONNECTED LOGIN_TIMEOUT"]);
  assertError(await login, AGORA, "LOGIN_ERR", "TIMEOUT");
});

test("a login that is refused can be tried again, also from the listener that is told", async () => {
  const client = makeClient(runtime);
  const states = statesOf(client);
  server.isDown = true;
  /** @type {Promise<void> | null} */
  let second = null;
  client.on("ConnectionStateChanged", (_, reason) => {
    if (reason !== "LOGIN_TIMEOUT") return;
    server.isDown = false;
    second = client.login({ uid: "bob" });
  });
  const first = failure(client.login({ uid: "ann" }));
  await runtime.advance(12_050);
  assertError(await first, AGORA, "LOGIN_ERR", "TIMEOUT");
  await second;
  assert.deepEqual(states.slice(-3), ["DISCONNECTED LOGIN_TIMEOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
  assert.equal(client.uid, "bob");
});

for (const vendor of VENDORS) {
  test(`${vendor.name}: a second login is too often within 500 ms, later there is one already`, async () => {
    const client = makeClient(runtime, vendor);
    server.isSilent = true;
    const first = failure(client.login({ uid: "ann" }));
    await runtime.advance(499);
    const often = await failure(client.login({ uid: "ann" }));
    assertError(often, vendor, "LOGIN_ERR", "TOO_OFTEN");
    assert.equal(often.name, "RtmInvokeTooOftenError");
    await runtime.advance(1);
    assertError(await failure(client.login({ uid: "ann" })), vendor, "LOGIN_ERR", "ALREADY_LOGIN");
    await runtime.advance(12_000);
    await first;
  });

  test(`${vendor.name}: an invalid login does not count`, async () => {
    const client = makeClient(runtime, vendor);
    const none = [undefined, null, {}, "ann", { uid: "ann", token: 7 }];
    const wrong = ["", 7, "null", "ä", "a".repeat(65)].map((uid) => ({ uid }));
    for (const options of /** @type {any[]} */ ([...none, ...wrong])) {
      assertError(await failure(client.login(options)), vendor, "LOGIN_ERR", "INVALID_ARGUMENT");
    }
    assert.equal(runtime.sockets.length, 0);
    await after(runtime, client.login({ uid: "a".repeat(64) }));
    assertError(await failure(client.login({ uid: "" })), vendor, "LOGIN_ERR", "INVALID_ARGUMENT");
  });

  test(`${vendor.name}: a logout aborts the login that is under way`, async () => {
    const client = makeClient(runtime, vendor);
    const states = statesOf(client);
    const login = failure(client.login({ uid: "ann" }));
    await client.logout();
    assertError(await login, vendor, "LOGIN_ERR", "ABORTED_BY_LOGOUT");
    assert.deepEqual(states, ["CONNECTING LOGIN", "DISCONNECTED LOGOUT"]);
  });

  test(`${vendor.name}: the same object logs in again as another`, async () => {
    const client = await logIn(runtime, "ann", vendor);
    await after(runtime, client.logout(), 600);
    const states = statesOf(client);
    await after(runtime, client.login({ uid: "bob" }));
    assert.deepEqual(states, ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
    assert.deepEqual([...server.logins.keys()], ["bob"]);
    await after(runtime, client.sendMessageToPeer({ text: "hi" }, "cal", { enableOfflineMessaging: true }));
    assert.equal(server.inbox("cal").entries[0].sender, "bob");
  });
}

test("Agora: a logout before login is refused, and one after it leaves the application its listeners", async () => {
  const client = makeClient(runtime);
  assertError(await failure(client.logout()), AGORA, "LOGOUT_ERR", "USER_NOT_LOGGED_IN");
  await after(runtime, client.login({ uid: "ann" }));
  const states = statesOf(client);
  await after(runtime, client.logout());
  assert.deepEqual(states, ["DISCONNECTED LOGOUT"]);
  assert.equal(client.listenerCount("ConnectionStateChanged"), 1);
  assertError(await failure(client.logout()), AGORA, "LOGOUT_ERR", "USER_NOT_LOGGED_IN");
});

test("anyRTC: a logout before login resolves, and one after it takes the listeners along", async () => {
  const client = makeClient(runtime, ANYRTC);
  await client.logout();
  await after(runtime, client.login({ uid: "ann" }));
  const channel = client.createChannel("math").on("MemberJoined", () => {});
  await after(runtime, channel.join());
  const states = statesOf(client);
  await after(runtime, client.logout());
  assert.deepEqual(states, ["DISCONNECTED LOGOUT"]);
  assert.deepEqual([client.listenerCount("ConnectionStateChanged"), channel.listenerCount("MemberJoined")], [0, 0]);
});

test("anyRTC: listeners for the next login may be added before the logout is answered", async () => {
  const client = await logIn(runtime, "ann", ANYRTC);
  await runtime.advance(600);
  const logout = client.logout();
  const states = statesOf(client);
  await after(runtime, Promise.all([logout, client.login({ uid: "bob" })]));
  assert.deepEqual(states, ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
});

test("a listener of the logout may log in again: that login stays", async () => {
  for (const vendor of VENDORS) {
    const client = await logIn(runtime, "ann", vendor);
    await runtime.advance(600);
    /** @type {Promise<void> | undefined} */
    let login;
    const states = statesOf(client);
    client.once("ConnectionStateChanged", () => (login = client.login({ uid: "bob" })));
    await after(runtime, client.logout());
    await login;
    assert.deepEqual(states, ["DISCONNECTED LOGOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
    await after(runtime, client.sendMessageToPeer({ text: "hi" }, "cal"));
    await after(runtime, client.logout());
  }
});

test("while CONNECTING calls find nobody logged in", async () => {
  const client = makeClient(runtime);
  const channel = client.createChannel("math");
  server.isSilent = true;
  const login = failure(client.login({ uid: "ann" }));
  assertError(await failure(client.getUserAttributes("bob")), AGORA, "ATTRIBUTE_OPERATION_ERR", "USER_NOT_LOGGED_IN");
  assertError(await failure(channel.join()), AGORA, "JOIN_CHANNEL_ERR", "USER_NOT_LOGGED_IN");
  assertError(await failure(channel.leave()), AGORA, "LEAVE_CHANNEL_ERR", "NOT_IN_CHANNEL");
  await runtime.advance(12_000);
  await login;
});

test("a lost connection: RECONNECTING after 4 s, calls wait, then CONNECTED", async () => {
  const client = await logIn(runtime, "ann");
  const states = statesOf(client);
  server.isDown = true;
  server.cutAll();
  const sent = client.sendMessageToPeer({ text: "hi" }, "bob");
  await runtime.advance(4100);
  assert.deepEqual(states, ["RECONNECTING INTERRUPTED"]);
  server.isDown = false;
  await runtime.advance(5000);
  assert.deepEqual(states, ["RECONNECTING INTERRUPTED", "CONNECTED LOGIN_SUCCESS"]);
  assert.deepEqual(await sent, { hasPeerReceived: false });
});

/** @type {[string, number, string][]} how the server ends it, and what is told */
const ENDINGS = [
  ["remote_login", 4003, "REMOTE_LOGIN"],
  ["kicked", 4001, "BANNED_BY_SERVER"],
  ["banned", 4002, "BANNED_BY_SERVER"],
];

for (const [name, code, reason] of ENDINGS) {
  test(`${name}: ABORTED, and every call fails until the logout`, async () => {
    const client = await logIn(runtime, "ann");
    const channel = client.createChannel("math");
    await after(runtime, channel.join());
    const states = statesOf(client);
    server.close("ann", { code, name, reconnect: false });
    await runtime.advance(1000);
    assert.deepEqual(states, [`ABORTED ${reason}`]);
    const calls = {
      LOGIN_ERR: ["ALREADY_LOGIN", client.login({ uid: "ann" })],
      PEER_MESSAGE_ERR: ["USER_NOT_LOGGED_IN", client.sendMessageToPeer({ text: "hi" }, "bob")],
      CHANNEL_MESSAGE_ERR: ["USER_NOT_LOGGED_IN", channel.sendMessage({ text: "hi" })],
      JOIN_CHANNEL_ERR: ["USER_NOT_LOGGED_IN", channel.join()],
      LEAVE_CHANNEL_ERR: ["USER_NOT_LOGGED_IN", channel.leave()],
      RENEW_TOKEN_ERR: ["USER_NOT_LOGGED_IN", client.renewToken("t")],
    };
    for (const [group, [expected, call]] of Object.entries(calls)) {
      assertError(await failure(/** @type {Promise<void>} */ (call)), AGORA, group, /** @type {string} */ (expected));
    }
    await client.logout();
    await after(runtime, client.login({ uid: "ann" }));
    await after(runtime, channel.join());
    assert.deepEqual(states.slice(1), ["DISCONNECTED LOGOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
  });
}

test("a token that runs out: told 30 s before and at its end, under both of anyRTC's names", async () => {
  /** @type {[typeof AGORA, any[]][]} */
  const vendors = [
    [AGORA, ["TokenPrivilegeWillExpire", "TokenExpired"]],
    [ANYRTC, ["TokenPrivilegeWillExpire", "TokenWillExpired", "TokenExpired", "TokenDidExpired"]],
  ];
  for (const [vendor, names] of vendors) {
    const client = await logIn(runtime, "ann", vendor);
    const states = statesOf(client);
    /** @type {string[]} */
    const told = [];
    for (const name of names) client.on(name, () => told.push(name));
    server.push("ann", "session.token_expiring", { expires_at: 1 });
    await runtime.advance(50);
    server.close("ann", { code: 4004, name: "token_expired", reconnect: false });
    await runtime.advance(50);
    assert.deepEqual(told, names);
    assert.deepEqual(states, ["RECONNECTING TOKEN_EXPIRED"]);
    await after(runtime, client.renewToken("new"), 1000);
    assert.deepEqual(states, ["RECONNECTING TOKEN_EXPIRED", "CONNECTED LOGIN_SUCCESS"]);
    assert.equal(client.token, "new");
    await after(runtime, client.logout());
  }
});

test("a token that could not be shown in time is the client's, as it is the next login's", async () => {
  const client = await logIn(runtime, "ann");
  server.isDown = true;
  server.cutAll();
  await runtime.advance(6000);
  await after(runtime, failure(client.renewToken("new")), 12_000);
  assert.equal(client.token, "new");
  server.isDown = false;
  await runtime.advance(16_000);
  assert.deepEqual(server.paramsOf("session.login").map(({ token }) => token), [null, "new"]);
});

test("a token that the server refuses is nobody's", async () => {
  const client = makeClient(runtime);
  await after(runtime, client.login({ uid: "ann", token: "old" }));
  server.refuseNext("session.renew_token", rpcError(11, "invalid_token"));
  await after(runtime, failure(client.renewToken("new")));
  assert.equal(client.token, "old");
  server.cutAll();
  await runtime.advance(5000);
  assert.deepEqual(server.paramsOf("session.login").map(({ token }) => token), ["old", "old"]);
});

test("renewToken: the argument is looked at before the login", async () => {
  const client = makeClient(runtime);
  for (const token of /** @type {any[]} */ ([undefined, null, "", 7])) {
    assertError(await failure(client.renewToken(token)), AGORA, "RENEW_TOKEN_ERR", "INVALID_ARGUMENT");
  }
  assertError(await failure(client.renewToken("t")), AGORA, "RENEW_TOKEN_ERR", "USER_NOT_LOGGED_IN");
});

test("a logout while a call is under way ends it", async () => {
  const client = await logIn(runtime, "ann");
  server.isSilent = true;
  const calls = [client.sendMessageToPeer({ text: "hi" }, "bob"), client.renewToken("t")];
  const errors = Promise.all(calls.map(failure));
  await after(runtime, client.logout(), 4000);
  const [message, token] = await errors;
  assertError(message, AGORA, "PEER_MESSAGE_ERR", "USER_NOT_LOGGED_IN");
  assertError(token, AGORA, "RENEW_TOKEN_ERR", "ABORTED_BY_LOGOUT");
});

test("a business id has 1 to 64 visible characters", async () => {
  const client = makeClient(runtime);
  assert.equal((await failure(client.setBusinessId("x"))).code, 102);
  await after(runtime, client.login({ uid: "ann" }));
  for (const id of /** @type {any[]} */ (["", "a b", "ä", "x".repeat(65), 7])) {
    assert.equal((await failure(client.setBusinessId(id))).code, 2);
  }
  await after(runtime, client.setBusinessId("x".repeat(64)));
  assert.equal(server.logins.get("ann")?.businessId, "x".repeat(64));
});
