/** LocalInvitation and RemoteInvitation (docs/contract.md 8 and 13). */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { AGORA, VENDORS, assertError, logIn, makeClient, thrown } from "../support/clients.js";
import { FakeRuntime, settle } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */
/** @typedef {import("../../../static/rtm/api/invitations.js").LocalInvitation} LocalInvitation */
/** @typedef {import("../../../static/rtm/api/invitations.js").RemoteInvitation} RemoteInvitation */

const GROUP = "INVITATION_API_CALL_ERR";

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {RtmClient} */
let ann;
/** @type {RtmClient} */
let bob;
/** @type {LocalInvitation} */
let local;
/** @type {RemoteInvitation[]} */
let received;
/** @type {string[]} */
let told;

/** @param {LocalInvitation} invitation */
function listen(invitation) {
  for (const name of /** @type {const} */ (["ReceivedByPeer", "Accepted", "Refused", "Canceled", "Failure"])) {
    invitation.on(`LocalInvitation${name}`, (...args) => told.push([name, invitation.state, ...args].join(" ")));
  }
}

/** @param {RemoteInvitation} invitation */
function listenRemote(invitation) {
  for (const name of /** @type {const} */ (["Accepted", "Refused", "Canceled", "Failure"])) {
    invitation.on(`RemoteInvitation${name}`, (...args) => {
      told.push(["remote", name, invitation.state, ...args].join(" "));
    });
  }
}

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  bob = await logIn(runtime, "bob");
  received = [];
  told = [];
  bob.on("RemoteInvitationReceived", (invitation) => {
    received.push(invitation);
    listenRemote(invitation);
  });
  local = ann.createLocalInvitation("bob");
  listen(local);
});

async function send() {
  local.content = "come";
  local.channelId = "math";
  local.send();
  await runtime.advance(50);
}

test("a new one is idle and empty", () => {
  const { calleeId, content, channelId, response, state } = local;
  assert.deepEqual([calleeId, content, channelId, response, state], ["bob", "", "", "", "IDLE"]);
});

test("sent, received, accepted", async () => {
  local.send();
  assert.equal(local.state, "SENT_TO_REMOTE");
  await runtime.advance(50);
  assert.equal(local.state, "RECEIVED_BY_REMOTE");
  const [remote] = received;
  assert.deepEqual([remote.callerId, remote.state, remote.response], ["ann", "INVITATION_RECEIVED", ""]);
  remote.response = "coming";
  remote.accept();
  assert.equal(remote.state, "ACCEPT_SENT_TO_LOCAL");
  await runtime.advance(50);
  assert.deepEqual(told.sort(), [
    "Accepted ACCEPTED_BY_REMOTE coming",
    "ReceivedByPeer RECEIVED_BY_REMOTE",
    "remote Accepted ACCEPTED",
  ]);
  assert.equal(local.response, "coming");
});

test("refused, with what it was sent with", async () => {
  await send();
  const [remote] = received;
  assert.deepEqual([remote.content, remote.channelId], ["come", "math"]);
  remote.response = "busy";
  remote.refuse();
  await runtime.advance(50);
  assert.deepEqual(told.slice(1).sort(), ["Refused REFUSED_BY_REMOTE busy", "remote Refused REFUSED"]);
});

test("called off, with another content", async () => {
  await send();
  local.content = "found it";
  local.cancel();
  await runtime.advance(50);
  assert.deepEqual(told.slice(1).sort(), ["Canceled CANCELED", "remote Canceled CANCELED found it"]);
  assert.equal(received[0].content, "found it");
});

test("nobody is there", async () => {
  local = ann.createLocalInvitation("cal");
  listen(local);
  await send();
  assert.deepEqual(told, ["Failure FAILURE PEER_OFFLINE"]);
});

for (const vendor of VENDORS) {
  test(`${vendor.name}: sent without a login: no throw, a failure is told afterwards`, async () => {
    const early = makeClient(runtime, vendor).createLocalInvitation("bob");
    listen(early);
    early.send();
    assert.deepEqual(told, []);
    await settle();
    assert.deepEqual(told, ["Failure FAILURE NOT_LOGGEDIN"]);
    assertError(thrown(() => early.send()), vendor, GROUP, "ALREADY_END");
    assertError(thrown(() => early.cancel()), vendor, GROUP, "ALREADY_END");
  });

  test(`${vendor.name}: a wrong order of calls throws`, async () => {
    assertError(thrown(() => makeClient(runtime, vendor).createLocalInvitation("")), vendor, GROUP, "INVALID_ARGUMENT");
    const client = await logIn(runtime, "cal", vendor);
    const invitation = client.createLocalInvitation("bob");
    assertError(thrown(() => invitation.cancel()), vendor, GROUP, "NOT_STARTED");
    assertError(thrown(() => (invitation.response = "x")), vendor, GROUP, "INVALID_ARGUMENT");
    invitation.content = "x".repeat(8193);
    const error = thrown(() => invitation.send());
    assertError(error, vendor, GROUP, "INVALID_ARGUMENT");
    assert.deepEqual([error.name, invitation.state], ["RtmInvalidArgumentError", "IDLE"]);
    invitation.content = "x".repeat(8192);
    invitation.send();
    const again = thrown(() => invitation.send());
    assertError(again, vendor, GROUP, "ALREADY_SENT");
    assert.equal(again.name, "RtmInvalidStatusError");
    await runtime.advance(50);
    invitation.content = "x".repeat(8193);
    assertError(thrown(() => invitation.cancel()), vendor, GROUP, "INVALID_ARGUMENT");
  });

  test(`${vendor.name}: the callee's wrong order of calls throws`, async () => {
    await after(runtime, bob.logout(), 600);
    bob = await logIn(runtime, "bob", vendor);
    bob.on("RemoteInvitationReceived", (invitation) => received.push(invitation));
    await send();
    const [remote] = received;
    remote.response = "x".repeat(8193);
    assertError(thrown(() => remote.accept()), vendor, GROUP, "INVALID_ARGUMENT");
    assert.equal(remote.state, "INVITATION_RECEIVED");
    remote.response = "x".repeat(8192);
    remote.accept();
    assertError(thrown(() => remote.accept()), vendor, GROUP, "ALREADY_ACCEPT");
    assertError(thrown(() => remote.refuse()), vendor, GROUP, "ALREADY_ACCEPT");
    await runtime.advance(50);
    assertError(thrown(() => remote.refuse()), vendor, GROUP, "ALREADY_END");
    assertError(thrown(() => local.cancel()), AGORA, GROUP, "ALREADY_END");
  });
}

test("accepted at the moment it was called off: both sides hear the same end", async () => {
  await send();
  local.cancel();
  received[0].accept();
  await runtime.advance(50);
  assert.deepEqual(told.slice(1).sort(), ["Canceled CANCELED", "remote Canceled CANCELED come"]);
});

test("an accepting that does not reach the server fails", async () => {
  await send();
  server.refuseNext("invitation.accept", rpcError(19, "invitation_not_found"));
  received[0].accept();
  await runtime.advance(50);
  assert.deepEqual(told.slice(1), ["remote Failure FAILURE ACCEPT_FAILURE"]);
});

test("a sending that the server refuses fails", async () => {
  server.refuseNext("invitation.send", rpcError(8, "limit_exceeded"));
  await send();
  assert.deepEqual(told, ["Failure FAILURE UNKNOWN"]);
});

test("a logout ends what is open, on one's own side at once", async () => {
  await send();
  const logout = ann.logout();
  assert.equal(local.state, "FAILURE");
  await after(runtime, logout);
  assert.deepEqual(told.filter((each) => each.startsWith("Failure")), ["Failure FAILURE NOT_LOGGEDIN"]);
  await after(runtime, bob.logout());
  assert.equal(received[0].state, "FAILURE");
});

test("it survives a lost connection on both sides", async () => {
  await send();
  server.cutAll();
  received[0].accept();
  await runtime.advance(5000);
  assert.deepEqual(told.slice(1).sort(), ["Accepted ACCEPTED_BY_REMOTE ", "remote Accepted ACCEPTED"]);
  assert.equal(received.length, 1);
});

test("several at once are told apart, also two of the same callers' ids", async () => {
  const cal = await logIn(runtime, "cal");
  const other = cal.createLocalInvitation("bob");
  listen(other);
  // Both clients' ids are made of the same clock and dice.
  other.send();
  local.send();
  await runtime.advance(50);
  assert.deepEqual(received.map(({ callerId }) => callerId).sort(), ["ann", "cal"]);
  received.find(({ callerId }) => callerId === "cal")?.refuse();
  await runtime.advance(50);
  assert.deepEqual([other.state, local.state], ["REFUSED_BY_REMOTE", "RECEIVED_BY_REMOTE"]);
});
