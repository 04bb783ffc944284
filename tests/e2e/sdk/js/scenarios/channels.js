/** Section 3, 4 and 5 of the contract: channels and their messages. */

import { same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function a_message_reaches_the_others_and_not_its_author(world) {
  const { room, ann, bob, annsChannel, bobsChannel } = await world.pair();
  const before = Date.now() - 60_000;
  same(annsChannel.channelId, room);
  same(await annsChannel.sendMessage({ text: "Good morning 早上好 \u0000 \u{1F600}" }), undefined);
  const [message, author, props] = await bob.next("ChannelMessage");
  same(message.text, "Good morning 早上好 \u0000 \u{1F600}");
  same(message.messageType, "TEXT");
  same(author, ann.uid);
  same(props.isOfflineMessage, false);
  same(typeof props.isHistoricalMessage, "boolean");
  same(props.serverReceivedTs > before && props.serverReceivedTs < before + 120_000, true, "milliseconds");
  const raw = new Uint8Array([0, 255, 128, 7]);
  await bobsChannel.sendMessage({ rawMessage: raw, description: "four bytes" });
  const [received] = await ann.next("ChannelMessage");
  same([received.messageType, received.description], ["RAW", "four bytes"]);
  same(received.rawMessage instanceof Uint8Array, true);
  same(received.rawMessage, raw);
  same(bob.all("ChannelMessage").length, 1, "nothing of one's own");
  same(ann.all("ChannelMessage").length, 1, "nothing of one's own");
}

/** @param {World} world */
export async function sending_writes_the_type_into_the_message(world) {
  const { ann, annsChannel } = await world.pair();
  const message = { text: "typed" };
  same(ann.client.createMessage(message) === message, true);
  await annsChannel.sendMessage(message);
  same(message, { text: "typed", messageType: "TEXT" });
}

/** @param {World} world */
export async function messages_arrive_in_the_order_they_were_sent(world) {
  const { bob, annsChannel } = await world.pair();
  const texts = Array.from({ length: 100 }, (_, number) => `${number}`);
  await Promise.all(texts.map((text) => annsChannel.sendMessage({ text })));
  await bob.until(() => bob.all("ChannelMessage").length >= 100, "a hundred messages");
  same(
    bob.all("ChannelMessage").map(([message]) => message.text),
    texts,
  );
}

/** @param {World} world */
export async function the_largest_message_arrives_and_a_larger_one_is_refused(world) {
  const { bob, annsChannel } = await world.pair();
  const largest = "\u0001".repeat(32 * 1024);
  await annsChannel.sendMessage({ text: largest });
  same((await bob.next("ChannelMessage"))[0].text === largest, true);
  await world.refused(annsChannel.sendMessage({ text: `${largest}x` }), "CHANNEL_MESSAGE_ERR", "INVALID_MESSAGE");
  const bytes = new Uint8Array(32 * 1024 - 4).fill(200);
  await annsChannel.sendMessage({ rawMessage: bytes, description: "four" });
  same((await bob.next("ChannelMessage"))[0].rawMessage, bytes);
  await world.refused(
    annsChannel.sendMessage({ rawMessage: bytes, description: "fives" }),
    "CHANNEL_MESSAGE_ERR",
    "INVALID_MESSAGE",
  );
}

/** @param {World} world */
export async function members_come_and_go(world) {
  const { room, ann, bob, bobsChannel, annsChannel } = await world.pair();
  same(ann.all("MemberJoined"), [[bob.uid]], "not of one's own");
  same(bob.all("MemberJoined"), []);
  await ann.until(() => ann.all("MemberCountUpdated").at(-1)?.[0] === 2, "a count of two");
  same((await annsChannel.getMembers()).sort(), [ann.uid, bob.uid].sort());
  same((await ann.client.getChannelMemberCount([room, unique("empty")]))[room], 2);
  await bobsChannel.leave();
  same(await ann.next("MemberLeft"), [bob.uid]);
  await ann.until(() => ann.all("MemberCountUpdated").at(-1)?.[0] === 1, "a count of one");
  await world.refused(bobsChannel.getMembers(), "GET_MEMBERS_ERR", "NOT_IN_CHANNEL");
  await world.refused(bobsChannel.leave(), "LEAVE_CHANNEL_ERR", "NOT_IN_CHANNEL");
  await annsChannel.sendMessage({ text: "without bob" });
  await bobsChannel.join();
  await annsChannel.sendMessage({ text: "with bob" });
  same((await bob.next("ChannelMessage"))[0].text, "with bob");
  await ann.until(() => ann.all("MemberJoined").length === 2, "the second coming");
  await bob.client.logout();
  same(await ann.next("MemberLeft"), [bob.uid]);
}

/** @param {World} world */
export async function joining_twice_is_refused(world) {
  const ann = await world.person();
  const room = unique("room");
  const channel = await ann.join(room);
  await world.refused(channel.join(), "JOIN_CHANNEL_ERR", "ALREADY_JOINED");
  const twin = ann.client.createChannel(room);
  same(twin === channel, false, "two objects");
  await world.refused(twin.join(), "JOIN_CHANNEL_ERR", "ALREADY_JOINED_CHANNEL_OF_SAME_ID");
  for (const id of ["", "x".repeat(65), "a*b", "é", undefined]) {
    world.throws(() => ann.client.createChannel(id), "CREATE_CHANNEL_ERR", "INVALID_ARGUMENT");
  }
}

/** @param {World} world */
export async function a_leave_ends_a_join_under_way(world) {
  const ann = await world.person();
  const channel = ann.channel(unique("room"));
  const join = channel.join();
  const leave = channel.leave().catch(() => {});
  await world.refused(join, "JOIN_CHANNEL_ERR", "ABORTED_BY_LEAVE");
  await leave;
  await channel.join();
  same(await channel.getMembers(), [ann.uid]);
}

/** @param {World} world */
export async function twenty_channels_may_be_joined(world) {
  const ann = await world.person();
  for (let number = 0; number < 20; number += 1) await ann.join(unique("room"));
  const more = ann.channel(unique("room"));
  await world.refused(more.join(), "JOIN_CHANNEL_ERR", "EXCEED_LIMIT");
  await [...ann.channels.values()][0].leave();
  await more.join();
}

/** @param {World} world */
export async function the_rates_are_kept(world) {
  const ann = await world.person();
  const channel = ann.channel(unique("room"));
  await channel.join();
  await channel.leave();
  await channel.join();
  await channel.leave();
  await world.refused(channel.join(), "JOIN_CHANNEL_ERR", "JOIN_SAME_CHANNEL_TOO_OFTEN");
  const counts = ["a", "b"].map(() => ann.client.getChannelMemberCount([channel.channelId]));
  await counts[0];
  await world.refused(/** @type {Promise<any>} */ (counts[1]), "GET_CHANNEL_MEMBER_COUNT_ERR", "TOO_OFTEN");
  const bob = await world.person();
  const many = Array.from({ length: 33 }, (_, number) => `room${number}`);
  await world.refused(bob.client.getChannelMemberCount(many), "GET_CHANNEL_MEMBER_COUNT_ERR", "EXCEED_LIMIT");
  const room = await bob.join(unique("room"));
  const sends = Array.from({ length: 500 }, (_, number) => room.sendMessage({ text: `${number}` }));
  const refusals = (await Promise.allSettled(sends)).filter((one) => one.status === "rejected");
  same(refusals.length >= 1 && refusals.length <= 320, true, `${refusals.length} of 500 refused`);
  for (const refusal of refusals) {
    world.isRefusal(/** @type {PromiseRejectedResult} */ (refusal).reason, "CHANNEL_MESSAGE_ERR", "TOO_OFTEN");
  }
}

/** @param {World} world */
export async function the_history_has_what_was_said(world) {
  const { room, bob, annsChannel } = await world.pair();
  for (const text of ["one", "two", "three"]) await annsChannel.sendMessage({ text });
  await bob.until(() => bob.all("ChannelMessage").length === 3, "three messages");
  const { messages } = await bob.client.getMessageHistory({ channelId: room, order: "asc" });
  same(
    messages.map((/** @type {any} */ one) => (one.message ?? one).text),
    ["one", "two", "three"],
  );
}
