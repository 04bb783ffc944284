/** The emitter's surface, and what listeners may do (docs/contract.md 2 and 13). */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { ApiEmitter } from "../../../static/rtm/api/events.js";
import { logIn, makeClient, statesOf } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";
import { after } from "../support/people.js";

/** @type {FakeRuntime} */
let runtime;
/** @type {FakeServer} */
let server;

beforeEach(() => {
  runtime = new FakeRuntime();
  server = new FakeServer(runtime);
});

/** What the page is told of errors in listeners. @param {import("node:test").TestContext} t @returns {Error[]} */
function reported(t) {
  /** @type {Error[]} */
  const errors = [];
  globalThis.reportError = (error) => errors.push(error);
  t.after(() => Reflect.deleteProperty(globalThis, "reportError"));
  return errors;
}

test("listeners are counted, listed, called in their order, and removed one at a time", () => {
  /** @type {ApiEmitter<{tick: [number]}>} */
  const emitter = new ApiEmitter();
  /** @type {string[]} */
  const calls = [];
  const first = (/** @type {number} */ at) => calls.push(`first ${at}`);
  const second = (/** @type {number} */ at) => calls.push(`second ${at}`);
  assert.equal(emitter.on("tick", first).once("tick", second).addListener("tick", first), emitter);
  assert.deepEqual(emitter.listeners("tick"), [first, second, first]);
  assert.deepEqual([emitter.rawListeners("tick").length, emitter.listenerCount("tick")], [3, 3]);
  emitter.emit("tick", 1);
  emitter.removeListener("tick", first).emit("tick", 2);
  emitter.off("tick", second).removeAllListeners("tick").emit("tick", 3);
  assert.deepEqual(calls, ["first 1", "second 1", "first 1", "first 2"]);
  emitter.on("tick", first).removeAllListeners().emit("tick", 4);
  assert.equal(calls.length, 4);
});

test("the same listener once and for ever: the lasting one stays", () => {
  /** @type {ApiEmitter<{tick: []}>} */
  const emitter = new ApiEmitter();
  const listener = mock.fn();
  emitter.once("tick", listener).on("tick", listener);
  emitter.emit("tick");
  emitter.emit("tick");
  assert.equal(listener.mock.callCount(), 3);
});

test("a listener has its emitter as this, and may remove itself and others meanwhile", () => {
  /** @type {ApiEmitter<{tick: []}>} */
  const emitter = new ApiEmitter();
  const last = mock.fn();
  emitter.on("tick", /** @this {typeof emitter} */ function () {
    this.removeAllListeners();
  });
  emitter.on("tick", last);
  emitter.emit("tick");
  emitter.emit("tick");
  assert.equal(last.mock.callCount(), 1);
});

test("a listener that throws keeps neither the others nor the client from going on", async (t) => {
  const errors = reported(t);
  const client = makeClient(runtime);
  client.on("ConnectionStateChanged", (state) => {
    if (state === "CONNECTED") throw new Error("of the application");
  });
  const states = statesOf(client);
  await after(runtime, client.login({ uid: "ann" }));
  assert.deepEqual(states, ["CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS"]);
  assert.deepEqual(errors.map(({ message }) => message), ["of the application"]);
});

test("a listener that throws loses no message, and none comes twice", async (t) => {
  const errors = reported(t);
  const client = await logIn(runtime, "ann");
  client.on("MessageFromPeer", ({ text }) => {
    throw new Error(text);
  });
  for (const text of ["a", "b", "c"]) server.writeTo("ann", text);
  await runtime.advance(50);
  server.cutAll();
  await runtime.advance(5000);
  assert.deepEqual(errors.map(({ message }) => message), ["a", "b", "c"]);
});

test("a listener may log out: nothing comes after it", async () => {
  const client = await logIn(runtime, "ann");
  /** @type {string[]} */
  const heard = [];
  client.on("MessageFromPeer", ({ text }) => {
    heard.push(text);
    client.logout();
  });
  for (const text of ["a", "b"]) server.writeTo("ann", text);
  await runtime.advance(5000);
  assert.deepEqual(heard, ["a"]);
});

test("several clients in one page do not hear of each other", async () => {
  const [ann, bob] = [await logIn(runtime, "ann"), await logIn(runtime, "bob")];
  const [annStates, bobStates] = [statesOf(ann), statesOf(bob)];
  const [annRoom, bobRoom] = [ann.createChannel("math"), bob.createChannel("math")];
  /** @type {string[]} */
  const heard = [];
  annRoom.on("ChannelMessage", ({ text }, from) => heard.push(`ann hears ${from}: ${text}`));
  bobRoom.on("ChannelMessage", ({ text }, from) => heard.push(`bob hears ${from}: ${text}`));
  bob.on("MessageFromPeer", ({ text }, from) => heard.push(`bob alone hears ${from}: ${text}`));
  await after(runtime, Promise.all([annRoom.join(), bobRoom.join()]));
  await after(runtime, annRoom.sendMessage({ text: "hi" }));
  await after(runtime, ann.sendMessageToPeer({ text: "psst" }, "bob"));
  await after(runtime, ann.logout());
  await after(runtime, bobRoom.sendMessage({ text: "alone" }));
  assert.deepEqual(heard, ["bob hears ann: hi", "bob alone hears ann: psst"]);
  assert.deepEqual([annStates, bobStates], [["DISCONNECTED LOGOUT"], []]);
});

test("how many listeners there may be is no question here, and asking it is no error", () => {
  /** @type {ApiEmitter<{tick: []}>} */
  const emitter = new ApiEmitter();
  assert.equal(emitter.setMaxListeners(1), emitter);
});
