/** Section 2, 4 and 5 of the contract: messages from user to user. */

import { same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function a_message_is_received_by_its_peer(world) {
  const [ann, bob] = await world.people(2);
  same(await ann.client.sendMessageToPeer({ text: "Hello 你好" }, bob.uid), { hasPeerReceived: true });
  const [message, from, props] = await bob.next("MessageFromPeer");
  same([message.text, message.messageType, from], ["Hello 你好", "TEXT", ann.uid]);
  same(props.isOfflineMessage, false);
  same(Math.abs(Date.now() - props.serverReceivedTs) < 60_000, true, "milliseconds");
  const raw = new Uint8Array([1, 2, 0, 255]);
  await bob.client.sendMessageToPeer({ rawMessage: raw, description: "bytes", messageType: "RAW" }, ann.uid);
  const [bytes] = await ann.next("MessageFromPeer");
  same([bytes.messageType, bytes.description], ["RAW", "bytes"]);
  same(bytes.rawMessage, raw);
}

/** @param {World} world */
export async function who_is_away_gets_only_what_is_kept_for_them(world) {
  const [ann, bob] = await world.people(2);
  await bob.client.logout();
  const kept = { enableOfflineMessaging: true };
  same(await ann.client.sendMessageToPeer({ text: "lost" }, bob.uid), { hasPeerReceived: false });
  same(await ann.client.sendMessageToPeer({ text: "first" }, bob.uid, kept), { hasPeerReceived: false });
  same(await ann.client.sendMessageToPeer({ text: "second" }, bob.uid, kept), { hasPeerReceived: false });
  const back = await world.person(bob.uid);
  await back.fence(ann, "live");
  same(
    back.all("MessageFromPeer").map(([message, from, props]) => [message.text, from, props.isOfflineMessage]),
    [
      ["first", ann.uid, true],
      ["second", ann.uid, true],
      ["live", ann.uid, false],
    ],
  );
  await back.client.logout();
  const again = await world.person(bob.uid);
  await again.fence(ann, "once only");
  same(again.all("MessageFromPeer").length, 1, "what was handed over is not told again");
}

/** @param {World} world */
export async function messages_arrive_in_the_order_they_were_sent(world) {
  const [ann, bob] = await world.people(2);
  const texts = Array.from({ length: 100 }, (_, number) => `${number}`);
  const answers = await Promise.all(texts.map((text) => ann.client.sendMessageToPeer({ text }, bob.uid)));
  same(
    answers.every((answer) => answer.hasPeerReceived),
    true,
  );
  same(
    bob.all("MessageFromPeer").map(([message]) => message.text),
    texts,
  );
}

/** @param {World} world */
export async function one_message_goes_to_many(world) {
  const [ann, bob, cid] = await world.people(3);
  const away = unique("away");
  const answers = await ann.client.sendMessageToPeers({ text: "all of you" }, [bob.uid, cid.uid, away]);
  same(answers[bob.uid], { hasPeerReceived: true });
  same(answers[cid.uid], { hasPeerReceived: true });
  same(answers[away], { hasPeerReceived: false });
  same((await bob.next("MessageFromPeer"))[0].text, "all of you");
  same((await cid.next("MessageFromPeer"))[0].text, "all of you");
}

/** @param {World} world */
export async function the_history_has_what_was_sent_with_the_flag(world) {
  const [ann, bob] = await world.people(2);
  const flag = { enableHistoricalMessaging: true };
  await ann.client.sendMessageToPeer({ text: "kept 1" }, bob.uid, flag);
  await ann.client.sendMessageToPeer({ text: "not kept" }, bob.uid);
  await bob.client.sendMessageToPeer({ text: "kept 2" }, ann.uid, flag);
  same(
    bob.all("MessageFromPeer").map(([message]) => message.text),
    ["kept 1", "not kept"],
  );
  for (const [one, other] of [
    [ann, bob],
    [bob, ann],
  ]) {
    const { messages } = await one.client.getMessageHistory({ peerId: other.uid, order: "asc" });
    same(
      messages.map((/** @type {any} */ entry) => (entry.message ?? entry).text),
      ["kept 1", "kept 2"],
    );
  }
}

/** @param {World} world */
export async function what_is_no_message_is_refused(world) {
  const [ann, bob] = await world.people(2);
  for (const message of [{}, { text: 5 }, { text: "x", messageType: "SMELL" }, null]) {
    await world.refused(ann.client.sendMessageToPeer(message, bob.uid), "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
  }
  for (const uid of ["", "x".repeat(65), "a*b", undefined]) {
    await world.refused(ann.client.sendMessageToPeer({ text: "x" }, uid), "PEER_MESSAGE_ERR", "INVALID_USERID");
  }
  const large = { text: "é".repeat(16 * 1024) };
  same((await ann.client.sendMessageToPeer(large, bob.uid)).hasPeerReceived, true);
  const larger = { text: `${large.text}x` };
  await world.refused(ann.client.sendMessageToPeer(larger, bob.uid), "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
}

/** @param {World} world */
export async function a_legacy_end_of_call_is_a_message(world) {
  const [ann, bob] = await world.people(2);
  const text = `${world.rtm.END_CALL_PREFIX}_a_room_info`;
  await ann.client.sendMessageToPeer({ text }, bob.uid);
  same((await bob.next("MessageFromPeer"))[0].text, text);
}

/** @param {World} world */
export async function a_listener_that_throws_loses_nothing(world) {
  const [ann, bob] = await world.people(2);
  /** @type {string[]} */
  const heard = [];
  bob.client.on("MessageFromPeer", () => {
    throw new Error("a listener's own fault");
  });
  bob.client.on("MessageFromPeer", (/** @type {any} */ message) => heard.push(message.text));
  same((await ann.client.sendMessageToPeer({ text: "one" }, bob.uid)).hasPeerReceived, true);
  same((await ann.client.sendMessageToPeer({ text: "two" }, bob.uid)).hasPeerReceived, true);
  same(heard, ["one", "two"]);
}
