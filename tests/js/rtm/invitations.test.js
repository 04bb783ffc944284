import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer, rpcError } from "../support/fake_server.js";
import { after, logIn, outcome, sessionOf } from "../support/people.js";

/** @typedef {import("../../../static/rtm/session/session.js").Session} Session */

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;
/** @type {Session} */
let ann;
/** @type {Session} */
let bob;
/** @type {Record<"ann" | "bob", string[]>} */
let told;

beforeEach(async () => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
  ann = await logIn(runtime, "ann");
  bob = await logIn(runtime, "bob");
  told = { ann: [], bob: [] };
  listen(ann, told.ann);
  listen(bob, told.bob);
});

/** @param {Session} session @param {string[]} heard */
function listen(session, heard) {
  session.invitations.on("changed", ({ state, step, reason, response, content }, isNew) => {
    heard.push([isNew ? "new" : "", step, state, reason, content, response].filter(Boolean).join(" "));
  });
}

/** @param {string} uid @param {string[]} heard */
async function logInListening(uid, heard) {
  const session = sessionOf(runtime, uid);
  listen(session, heard);
  await after(runtime, session.login());
  return session;
}

async function invite(content = "") {
  const { id, done } = ann.invitations.send({ peer: "bob", content, channel: "math" });
  await after(runtime, done);
  return id;
}

test("sent, confirmed by the callee's client by itself, accepted: each step is told to both, once", async () => {
  const id = await invite("fractions?");
  const { state } = await after(runtime, bob.invitations.accept("ann", id, "coming"));
  assert.equal(state, "ACCEPTED");
  const steps = ["new 1 SENT fractions?", "2 RECEIVED fractions?", "3 ACCEPTED fractions? coming"];
  assert.deepEqual(told, { ann: steps, bob: steps });
});

test("refused and cancelled, with their words", async () => {
  await after(runtime, bob.invitations.refuse("ann", await invite(), "later"));
  await after(runtime, ann.invitations.cancel(await invite("now"), "found it"));
  assert.deepEqual(told.ann.filter((step) => step.startsWith("3")), ["3 REFUSED later", "3 CANCELED found it"]);
  assert.deepEqual(told.bob, told.ann);
});

test("to nobody: it fails at once, and the caller is told why", async () => {
  const { done } = ann.invitations.send({ peer: "cal" });
  assert.equal((await after(runtime, done)).state, "FAILED");
  assert.deepEqual(told.ann, ["new 1 FAILED PEER_OFFLINE"]);
});

test("what comes too late is told what it was", async () => {
  const id = await invite();
  await after(runtime, ann.invitations.cancel(id));
  const late = bob.invitations.accept("ann", id);
  await assert.rejects(after(runtime, late), { name: "invitation_ended" });
  assert.equal((/** @type {any} */ (await late.catch((error) => error))).data.state, "CANCELED");
});

test("the caller's connection is lost after sending: it is sent once, and every step is told", async () => {
  server.cutNext("invitation.send");
  const { id, done } = ann.invitations.send({ peer: "bob" });
  await after(runtime, done, 3000);
  await after(runtime, bob.invitations.accept("ann", id));
  assert.deepEqual(told.ann, ["new 1 SENT", "2 RECEIVED", "3 ACCEPTED"]);
  assert.deepEqual(told.bob, told.ann);
});

test("both lose their connections and are back in time: the invitation goes on", async () => {
  const id = await invite();
  server.cutAll();
  const accepted = bob.invitations.accept("ann", id);
  await after(runtime, accepted, 5000);
  assert.deepEqual(told.ann, ["new 1 SENT", "2 RECEIVED", "3 ACCEPTED"]);
});

test("an invitation waits for a connection as long as it lives, not 10 s", async () => {
  server.isDown = true;
  server.cutAll();
  const { done } = ann.invitations.send({ peer: "bob" });
  await runtime.advance(20_000);
  server.isDown = false;
  assert.equal((await after(runtime, done, 20_000)).state, "SENT");
  assert.deepEqual(told.bob, ["new 1 SENT", "2 RECEIVED"]);
});

test("the confirmation is refused for a while: it is made again", async () => {
  server.refuseNext("invitation.confirm", rpcError(13, "unavailable", true));
  await invite();
  await runtime.advance(2000);
  assert.deepEqual(told.ann, ["new 1 SENT", "2 RECEIVED"]);
});

test("the confirmation is made too often: it waits its time, so that the caller does not wait in vain", async () => {
  server.refuseNext("invitation.confirm", rpcError(3, "too_often", true, { retry_after_ms: 300 }));
  await invite();
  await runtime.advance(2000);
  assert.deepEqual(told.ann, ["new 1 SENT", "2 RECEIVED"]);
});

test("a page that comes anew finds what is open in its list, page by page, and each once", async () => {
  server.pageSize = 1;
  const view = { caller: "ann", callee: "cal", channel: "", content: "", response: "", state: "RECEIVED", reason: "", step: 2, ts: 1 };
  for (const invitation of ["a", "b"]) server.invitations.set(`ann ${invitation}`, { ...view, invitation });
  /** @type {string[]} */
  const heard = [];
  const late = await logInListening("cal", heard);
  await runtime.advance(100);
  assert.deepEqual(heard, ["new 2 RECEIVED", "new 2 RECEIVED"]);
  assert.equal(server.paramsOf("invitation.confirm").length, 0);
  await after(runtime, late.invitations.accept("ann", "a"));
  assert.deepEqual(heard.slice(2), ["3 ACCEPTED"]);
});

test("a step that is told by the list as well as by the inbox is told once", async () => {
  const id = await invite();
  bob.invitations.received({ ...server.invitations.get(`ann ${id}`) });
  assert.deepEqual(told.bob, ["new 1 SENT", "2 RECEIVED"]);
});

test("of an invitation that has ended an older word is not told any more", async () => {
  const id = await invite();
  await after(runtime, bob.invitations.refuse("ann", id));
  const count = told.bob.length;
  bob.invitations.received({ ...server.invitations.get(`ann ${id}`), state: "SENT", step: 1 });
  assert.equal(told.bob.length, count);
});

test("a session that was removed hears that its invitation has failed", async () => {
  await invite();
  server.remove("ann");
  await runtime.advance(50);
  assert.equal(told.bob.at(-1), "3 FAILED NOT_LOGGEDIN");
});

test("away for so long that its inbox has forgotten: on its return it asks what has become of its invitations", async () => {
  await invite();
  server.isDown = true;
  server.cutAll();
  await runtime.advance(60_000);
  server.restart();
  for (const inbox of server.inboxes.values()) for (const { seq } of inbox.entries) inbox.withdraw(seq);
  server.isDown = false;
  await runtime.advance(20_000);
  assert.equal(told.ann.at(-1), "3 FAILED NOT_LOGGEDIN");
  assert.equal(told.bob.at(-1), "3 FAILED NOT_LOGGEDIN");
  assert.equal(told.ann.length, 3);
});

test("an invitation that nobody knows any more has expired", async () => {
  await invite();
  server.isDown = true;
  server.cutAll();
  server.restart();
  server.invitations.clear();
  for (const inbox of server.inboxes.values()) for (const { seq } of inbox.entries) inbox.withdraw(seq);
  server.isDown = false;
  await runtime.advance(20_000);
  assert.deepEqual([told.ann.at(-1), told.bob.at(-1)], ["3 FAILED INVITATION_EXPIRE", "3 FAILED INVITATION_EXPIRE"]);
});

test("a logout ends what waits", async () => {
  server.isDown = true;
  server.cutAll();
  const { done } = ann.invitations.send({ peer: "bob" });
  const result = outcome(done);
  await ann.logout();
  assert.equal(await result, "aborted");
});
