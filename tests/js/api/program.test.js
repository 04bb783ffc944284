/** A small chat as the vendors' quick starts show it: nothing in `chat` knows whose SDK it runs on. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { APP_ID, VENDORS } from "../support/clients.js";
import { FakeRuntime } from "../support/fake_runtime.js";
import { FakeServer } from "../support/fake_server.js";

/**
 * @param {any} RTM the vendor's object
 * @param {object} config
 * @param {string} uid
 * @param {(line: string) => void} show
 */
function chat(RTM, config, uid, show) {
  const client = RTM.createInstance(APP_ID, config);
  const channel = client.createChannel("demo");

  client.on("ConnectionStateChanged", (/** @type {string} */ state, /** @type {string} */ reason) => {
    show(`state: ${state} because of ${reason}`);
  });
  client.on("MessageFromPeer", (/** @type {any} */ message, /** @type {string} */ peerId) => {
    show(`${peerId} to me: ${message.text}`);
  });
  channel.on("ChannelMessage", (/** @type {any} */ message, /** @type {string} */ memberId) => {
    if (message.messageType === "TEXT") show(`${memberId}: ${message.text}`);
  });
  channel.on("MemberJoined", (/** @type {string} */ memberId) => show(`${memberId} came`));
  channel.on("MemberLeft", (/** @type {string} */ memberId) => show(`${memberId} left`));

  return {
    logIn: () => client.login({ uid, token: "" }),
    join: () => channel.join().then(() => show(`in ${channel.channelId}`)),
    say: (/** @type {string} */ text) =>
      channel.sendMessage({ text }).then(
        () => show(`I: ${text}`),
        (/** @type {any} */ error) => show(`not said: ${error.code}`),
      ),
    tell: async (/** @type {string} */ peerId, /** @type {string} */ text) => {
      const result = await client.sendMessageToPeer({ text }, peerId);
      show(result.hasPeerReceived ? `${peerId} has it` : `${peerId} is not there`);
    },
    leave: () => channel.leave(),
    logOut: () => client.logout(),
  };
}

for (const vendor of VENDORS) {
  test(`${vendor.name}: two people talk`, async () => {
    const runtime = new FakeRuntime();
    new FakeServer(runtime);
    /** @type {Record<string, string[]>} */
    const screens = { ann: [], bob: [] };
    const config = { server: "https://rtm.example", runtime, logFilter: 4 };
    const [ann, bob] = ["ann", "bob"].map((uid) => chat(vendor.rtm, config, uid, (line) => screens[uid].push(line)));
    for (const step of [
      () => ann.logIn(),
      () => ann.say("is anybody there?"),
      () => ann.join(),
      () => ann.tell("bob", "where are you?"),
      () => bob.logIn(),
      () => bob.join(),
      () => bob.say("hello"),
      () => ann.say("hi"),
      () => ann.tell("bob", "between us"),
      () => bob.leave(),
      () => bob.logOut(),
      () => ann.tell("bob", "still there?"),
      () => ann.logOut(),
    ]) {
      const done = step();
      await runtime.advance(50);
      await done;
    }
    assert.deepEqual(screens.ann, [
      "state: CONNECTING because of LOGIN",
      "state: CONNECTED because of LOGIN_SUCCESS",
      "not said: 5",
      "in demo",
      "bob is not there",
      "bob came",
      "bob: hello",
      "I: hi",
      "bob has it",
      "bob left",
      "bob is not there",
      "state: DISCONNECTED because of LOGOUT",
    ]);
    assert.deepEqual(screens.bob, [
      "state: CONNECTING because of LOGIN",
      "state: CONNECTED because of LOGIN_SUCCESS",
      "in demo",
      "I: hello",
      "ann: hi",
      "ann to me: between us",
      "state: DISCONNECTED because of LOGOUT",
    ]);
  });
}
