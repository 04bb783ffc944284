import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Room } from "../../../static/rtm/session/room.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, outcome, say, sessionOf } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let session;
/** @type {string[]} */
let states;
/** @type {boolean[]} */
let links;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  session = sessionOf(runtime, "me");
  states = [];
  links = [];
  session.on("link", (isUp) => links.push(isUp));
  session.on("state", (state, reason) => states.push(`${state}/${reason}`));
});

async function login() {
  const promise = session.login();
  await runtime.advance(50);
  await promise;
}

test("login: CONNECTING, then CONNECTED, with a token, no session, and who we are", async () => {
  await login();
  assert.deepEqual(states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
  const [params] = server.paramsOf("session.login");
  assert.deepEqual(
    { ...params, client: undefined },
    { app: "0".repeat(32), uid: "me", token: null, streams: {}, client: undefined },
  );
  assert.deepEqual(params.client.capabilities, []);
});

test("login: the server out of reach is tried again for 12 s, never given up sooner", async () => {
  server.isDown = true;
  const promise = outcome(session.login());
  await runtime.advance(11_999);
  assert.deepEqual(states, ["CONNECTING/LOGIN"]);
  assert.ok(runtime.sockets.length > 2);
  await runtime.advance(1);
  assert.equal(await promise, "timeout");
  assert.deepEqual(states, ["CONNECTING/LOGIN", "DISCONNECTED/LOGIN_TIMEOUT"]);
  await runtime.advance(60_000);
  assert.equal(runtime.pendingTimers, 0);
});

test("login: an address that can not be opened is told to the console, tried again, and no way in", async (t) => {
  const errors = /** @type {unknown[]} */ ([]);
  globalThis.reportError = (error) => errors.push(error);
  t.after(() => Reflect.deleteProperty(globalThis, "reportError"));
  runtime.openSocket = () => {
    throw new SyntaxError("no address");
  };
  const result = outcome(session.login());
  assert.deepEqual(states, ["CONNECTING/LOGIN"]);
  await runtime.advance(12_000);
  assert.equal(await result, "timeout");
  assert.ok(errors.length > 1 && errors.every((error) => error instanceof SyntaxError));
  assert.equal(runtime.pendingTimers, 0);
});

test("login: where there is no WebSocket it is told to the log, and no way in", async (t) => {
  const { mock: log } = t.mock.method(console, "error", () => {});
  runtime.openSocket = () => new (/** @type {any} */ (undefined))();
  assert.equal(await outcome(after(runtime, session.login(), 12_000)), "timeout");
  assert.ok(log.calls.every(({ arguments: [error] }) => error instanceof TypeError) && log.calls.length > 1);
});

test("states: all listeners hear them in the same order, also of what one of them does", async () => {
  /** @type {string[]} */
  const others = [];
  session.on("state", (state) => {
    if (state === "CONNECTED") session.logout();
  });
  session.on("state", (state, reason) => others.push(`${state}/${reason}`));
  session.login();
  await runtime.advance(1000);
  assert.deepEqual(others, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS", "DISCONNECTED/LOGOUT"]);
});

test("login: a refusal is told at once; one that passes is waited out", async () => {
  server.refuseNext("session.login", rpcError(4, "invalid_app_id"));
  const promise = outcome(session.login());
  await runtime.advance(50);
  assert.equal(await promise, "invalid_app_id");
  assert.equal(session.state, "DISCONNECTED");

  server.refuseNext("session.login", rpcError(3, "too_often", true, { retry_after_ms: 400 }));
  const again = outcome(session.login());
  await runtime.advance(300);
  assert.equal(session.state, "CONNECTING");
  await runtime.advance(200);
  assert.equal(await again, "done");
});

test("login: twice is refused, and a logout ends the first", async () => {
  server.isDown = true;
  const first = outcome(session.login());
  assert.equal(await outcome(session.login()), "already_logged_in");
  await session.logout();
  assert.equal(await first, "aborted");
  assert.equal(states.at(-1), "DISCONNECTED/LOGOUT");
});

test("reconnect: for ever, with back-off, and it resumes with its session", async () => {
  await login();
  const id = session.sessionId;
  server.isDown = true;
  server.cutAll();
  await runtime.advance(4000);
  assert.equal(states.at(-1), "RECONNECTING/INTERRUPTED");
  await runtime.advance(3_600_000);
  const attempts = runtime.sockets.length;
  assert.ok(attempts > 100 && attempts < 1000, `${attempts} attempts in an hour`);
  server.isDown = false;
  await runtime.advance(15_000);
  assert.equal(states.at(-1), "CONNECTED/LOGIN_SUCCESS");
  assert.deepEqual(states.length, 4);
  assert.equal(server.paramsOf("session.login").at(-1).session, id);
});

test("reconnect: back within 4 s of the last sign of life, no state has changed, though the link says so at once", async () => {
  await login();
  server.isDown = true;
  server.cutAll();
  await runtime.advance(3000);
  assert.deepEqual([session.state, session.isReady, links], ["CONNECTED", false, [true, false]]);
  server.isDown = false;
  await runtime.advance(900);
  assert.deepEqual(links, [true, false, true]);
  assert.deepEqual(states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
  await runtime.advance(60_000);
  assert.equal(states.length, 2);
});

test("reconnect: lost for 4 s it is told, counted from the last sign of life and whatever attempts were made", async () => {
  await login();
  await runtime.advance(2950);
  server.isDown = true;
  server.cutAll();
  await runtime.advance(1024); // the last frame came after 25 ms
  assert.equal(session.state, "CONNECTED");
  await runtime.advance(1);
  assert.equal(states.at(-1), "RECONNECTING/INTERRUPTED");
});

test("reconnect: a silent network is noticed after 4 s", async () => {
  await login();
  server.isSilent = true;
  await runtime.advance(3900);
  assert.equal(session.state, "CONNECTED");
  await runtime.advance(200);
  assert.equal(session.state, "RECONNECTING");
});

test("reconnect: after a restart the server's own delay is kept", async () => {
  await login();
  server.close("me", { code: 1012, name: "server_restart", reconnect: true, delay_ms: 2500 });
  const sockets = runtime.sockets.length;
  await runtime.advance(2499);
  assert.equal(runtime.sockets.length, sockets);
  await runtime.advance(50);
  assert.equal(session.state, "CONNECTED");
});

test("reconnect: what broke off at once does not start the back-off anew", async () => {
  runtime.dice = 1;
  await login();
  for (const expectedMs of [500, 1000, 2000]) {
    server.cutAll();
    const sockets = runtime.sockets.length;
    await runtime.advance(expectedMs - 1);
    assert.equal(runtime.sockets.length, sockets);
    await runtime.advance(51);
    assert.equal(session.state, "CONNECTED");
  }
  await runtime.advance(6000);
  server.cutAll();
  await runtime.advance(550);
  assert.equal(session.state, "CONNECTED");
});

test("reconnect: a session that the server has forgotten is not asked for again", async () => {
  await login();
  server.close("me", { code: 4008, name: "session_lost", reconnect: true });
  await runtime.advance(1000);
  assert.equal(session.state, "CONNECTED");
  assert.equal("session" in server.paramsOf("session.login").at(-1), false);
});

for (const [code, name, reason] of /** @type {[number, string, string][]} */ ([
  [4003, "remote_login", "REMOTE_LOGIN"],
  [4010, "superseded", "REMOTE_LOGIN"],
  [4001, "kicked", "BANNED_BY_SERVER"],
  [4002, "banned", "BANNED_BY_SERVER"],
  [4007, "protocol_error", "INTERRUPTED"],
])) {
  test(`aborted: ${name} ends it, and every call fails until a logout`, async () => {
    await login();
    server.close("me", { code, name, reconnect: false });
    await runtime.advance(60_000);
    assert.equal(states.at(-1), `ABORTED/${reason}`);
    assert.equal(session.ending?.name, name);
    assert.equal(await outcome(session.call("room.members", {})), "not_connected");
    assert.equal(await outcome(session.login()), "already_logged_in");
    await session.logout();
    await login();
    assert.equal(session.state, "CONNECTED");
  });
}

test("token: one that ran out is waited for, without an attempt, and a new one goes on", async () => {
  await login();
  server.close("me", { code: 4004, name: "token_expired", reconnect: false });
  await runtime.advance(60_000);
  session.wake();
  await runtime.advance(1000);
  assert.equal(states.at(-1), "RECONNECTING/TOKEN_EXPIRED");
  assert.equal(runtime.sockets.length, 1);
  session.renew("new");
  await runtime.advance(50);
  assert.equal(session.state, "CONNECTED");
  assert.equal(server.paramsOf("session.login").at(-1).token, "new");
});

for (const [code, name] of /** @type {[number, string][]} */ ([
  [5, "invalid_token"],
  [16, "token_expired"],
])) {
  test(`token: ${name} at a reconnect is waited out until there is a new one`, async () => {
    await login();
    server.refuseNext("session.login", rpcError(code, name));
    server.cutAll();
    await runtime.advance(60_000);
    assert.equal(states.at(-1), "RECONNECTING/TOKEN_EXPIRED");
    session.renew("new");
    await runtime.advance(50);
    assert.equal(session.state, "CONNECTED");
  });
}

test("token: a new one while connected is shown to the server at once, and settles with its answer", async () => {
  await login();
  assert.equal(await after(runtime, outcome(session.renew("new"))), "done");
  assert.deepEqual(server.paramsOf("session.renew_token"), [{ token: "new" }]);
  assert.equal(runtime.sockets.length, 1);
  server.refuseNext("session.renew_token", rpcError(3, "too_often", true));
  assert.equal(await after(runtime, outcome(session.renew("newer"))), "too_often");
});

test("token: one that is refused changes nothing: the next login has the one before", async () => {
  await login();
  await after(runtime, session.renew("good"));
  server.refuseNext("session.renew_token", rpcError(5, "invalid_token"));
  assert.equal(await after(runtime, outcome(session.renew("bad"))), "invalid_token");
  server.cutAll();
  await runtime.advance(1000);
  assert.equal(server.paramsOf("session.login").at(-1).token, "good");
});

test("token: while one is waited for, another that is refused too says so, and the next is tried", async () => {
  await login();
  server.close("me", { code: 4004, name: "token_expired", reconnect: false });
  server.refuseNext("session.login", rpcError(5, "invalid_token"));
  assert.equal(await after(runtime, outcome(session.renew("bad"))), "invalid_token");
  assert.equal(states.at(-1), "RECONNECTING/TOKEN_EXPIRED");
  assert.equal(await after(runtime, outcome(session.renew("good"))), "done");
  assert.equal(session.state, "CONNECTED");
});

test("token: a new one that comes while an attempt with the old one is under way is tried next", async () => {
  await login();
  server.refuseNext("session.login", rpcError(16, "token_expired"));
  server.cutAll();
  while (server.paramsOf("session.login").length < 2) await runtime.advance(1);
  assert.equal(await after(runtime, outcome(session.renew("new"))), "done");
  assert.deepEqual(states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
});

test("token: its end is told before it comes, when it has come, and once each", async () => {
  /** @type {any[]} */
  const told = [];
  session.on("tokenExpiring", (at) => told.push(at));
  session.on("tokenExpired", () => told.push("expired"));
  await login();
  server.push("me", "session.token_expiring", { expires_at: 77 });
  await runtime.advance(50);
  server.close("me", { code: 4004, name: "token_expired", reconnect: false });
  await runtime.advance(50);
  assert.deepEqual(told, [77, "expired"]);
  assert.deepEqual(states.slice(2), ["RECONNECTING/TOKEN_EXPIRED"]);
});

test("token: without a login there is none to renew", async () => {
  assert.equal(await outcome(session.renew("new")), "not_connected");
});

test("business id: set again after a session that was removed, not after one that was resumed or logged out", async () => {
  await login();
  await after(runtime, session.setBusinessId("evening"));
  server.cutAll();
  await runtime.advance(1000);
  assert.equal(server.paramsOf("session.set_business_id").length, 1);
  server.restart();
  await runtime.advance(1000);
  assert.equal(server.logins.get("me")?.businessId, "evening");
  await after(runtime, session.logout());
  await login();
  assert.equal(server.logins.get("me")?.businessId, "");
});

test("the url is asked for before each attempt", async () => {
  let asked = 0;
  session = sessionOf(runtime, "me", { url: () => `ws://here/${++asked}` });
  await login();
  server.cutAll();
  await runtime.advance(1000);
  assert.deepEqual(runtime.sockets.map(({ url }) => url), ["ws://here/1", "ws://here/2"]);
});

test("the page is watched from the login to the logout", async () => {
  /** @type {string[]} */
  const watched = [];
  runtime.watch = () => {
    watched.push("start");
    return () => watched.push("stop");
  };
  await login();
  server.cutAll();
  await runtime.advance(1000);
  assert.deepEqual(watched, ["start"]);
  await after(runtime, session.logout());
  assert.deepEqual(watched, ["start", "stop"]);
});

test("wake: does not wait for the back-off, and looks after a connection that may be dead", async () => {
  runtime.dice = 1;
  await login();
  server.isDown = true;
  server.cutAll();
  await runtime.advance(20_000);
  server.isDown = false;
  session.wake();
  await runtime.advance(50);
  assert.equal(session.state, "CONNECTED");
  await runtime.advance(2000);
  session.wake();
  await runtime.advance(10);
  assert.equal(server.requests.at(-1)?.method, "session.ping");
});

test("a call under way survives a lost connection, one made without a connection waits for it", async () => {
  await login();
  server.cutNext("room.members");
  const first = session.call("room.members", { room: "math" });
  await runtime.advance(20);
  assert.equal(session.isReady, false);
  const second = session.call("room.members", { room: "art" });
  await runtime.advance(1000);
  assert.deepEqual(await first, { members: [], total: 0 });
  assert.deepEqual(await second, { members: [], total: 0 });
});

test("a call is made again after a failure that passes, and other kinds of calls do not wait for it", async () => {
  await login();
  server.refuseNext("presence.query", rpcError(14, "overloaded", true, { retry_after_ms: 1500 }));
  const refused = session.presence.query(["a"]);
  await runtime.advance(20);
  const behind = session.presence.query(["b"]);
  const other = session.userAttributes.get("me");
  await runtime.advance(20);
  assert.deepEqual(await other, {});
  assert.deepEqual(server.paramsOf("presence.query"), [{ uids: ["a"] }]);
  await runtime.advance(1500);
  await Promise.all([refused, behind]);
  assert.deepEqual(server.paramsOf("presence.query"), [{ uids: ["a"] }, { uids: ["a"] }, { uids: ["b"] }]);
});

test("a call settles in its time, with or without a connection", async () => {
  await login();
  server.isDown = true;
  server.cutAll();
  const promise = outcome(session.call("room.members", { room: "math" }, 5000));
  await runtime.advance(5000);
  assert.equal(await promise, "timeout");
});

test("logout: is told to the server, then nothing runs any more", async () => {
  await login();
  const promise = session.logout();
  assert.equal(states.at(-1), "DISCONNECTED/LOGOUT");
  await runtime.advance(50);
  await promise;
  assert.equal(server.logins.size, 0);
  assert.ok(runtime.socket.isClosed);
  assert.equal(runtime.pendingTimers, 0);
});

test("logout: nothing runs any more, whatever was under way, also on a dead network", async () => {
  for (const isDead of [false, true]) {
    await login();
    const room = new Room(session, "math");
    await after(runtime, room.join());
    await after(runtime, session.presence.subscribe(["bob"]));
    server.isSilent = isDead;
    const calls = [
      ...[room.send(say("a")), session.peers.history("bob"), session.presence.query(["bob"]), room.leave()],
      ...[room.join(), new Room(session, "art").join(), session.invitations.send({ peer: "bob" }).done],
    ].map(outcome);
    if (isDead) await runtime.advance(3500);
    await after(runtime, session.logout(), 3000);
    assert.equal(runtime.pendingTimers, 0);
    await Promise.all(calls);
  }
});

test("logout: is told to the server also right after the login", async () => {
  session.on("state", (state) => {
    if (state === "CONNECTED") void session.logout();
  });
  await login();
  await runtime.advance(50);
  assert.equal(server.paramsOf("session.logout").length, 1);
});

test("logout: while the network is dead it takes 3 s and does not fail", async () => {
  await login();
  server.isSilent = true;
  const promise = outcome(session.logout());
  await runtime.advance(3000);
  assert.equal(await promise, "done");
});

test("logout: what comes while it is on its way is not heard, and the end of the old connection brings no new one", async () => {
  await login();
  /** @type {any[]} */
  const told = [];
  session.on("tokenExpiring", (at) => told.push(at));
  const socket = runtime.socket;
  const promise = session.logout();
  socket.deliver({ jsonrpc: "2.0", method: "session.token_expiring", params: { expires_at: 1 } });
  socket.drop();
  await after(runtime, promise, 60_000);
  assert.deepEqual([told, runtime.sockets.length, session.state], [[], 1, "DISCONNECTED"]);
});

test("logout: a call that was under way on a dead connection is not made by the next login", async () => {
  await login();
  server.isSilent = true;
  const result = outcome(session.call("room.history", { room: "math" }, 30_000));
  await after(runtime, session.logout(), 3000);
  assert.equal(await result, "aborted");
  server.isSilent = false;
  await login();
  await runtime.advance(1000);
  assert.deepEqual(server.paramsOf("room.history"), []);
});

test("wake: an attempt that hangs is given up for another, one that has just begun is not", async () => {
  await login();
  server.cutAll();
  server.isSilent = true;
  await runtime.advance(4000);
  const attempts = runtime.sockets.length;
  server.isSilent = false;
  session.wake();
  session.wake();
  assert.equal(runtime.sockets.length, attempts + 1);
  await runtime.advance(50);
  assert.equal(session.isReady, true);
});

test("logout and login at once: the new login is another session, and stays", async () => {
  await login();
  void session.logout();
  await login();
  await runtime.advance(60_000);
  assert.equal(session.state, "CONNECTED");
  assert.equal("session" in server.paramsOf("session.login").at(-1), false);
  assert.equal(server.logins.size, 1);
});

for (const [state, login] of [["CONNECTING", "aborted"], ["CONNECTED", "done"], ["RECONNECTING", "done"]]) {
  test(`a listener that logs out when it hears ${state}: nothing is left, no attempt and no timer`, async () => {
    session.on("state", (now) => {
      if (now === state) void session.logout();
    });
    const result = outcome(session.login());
    await runtime.advance(50);
    server.isDown = true;
    server.cutAll();
    await runtime.advance(60_000);
    assert.deepEqual([await result, session.state, runtime.pendingTimers], [login, "DISCONNECTED", 0]);
  });
}

test("a listener that logs in again when it hears that it was put out by a logout", async () => {
  await login();
  session.on("state", (_, reason) => {
    if (reason === "LOGOUT") void session.login();
  });
  await after(runtime, session.logout());
  assert.deepEqual(states.slice(2), ["DISCONNECTED/LOGOUT", "CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
});

test("a listener that hears CONNECTED may call: it is made once, after what the session restores", async () => {
  await login();
  await after(runtime, session.userAttributes.set({ name: "Me" }));
  session.on("link", (isUp) => {
    if (isUp) void session.userAttributes.update({ hand: "up" });
  });
  server.restart();
  await runtime.advance(3000);
  assert.deepEqual(server.logins.get("me")?.attributes, { name: "Me", hand: "up" });
  assert.equal(server.paramsOf("user.update_attributes").length, 1);
});
