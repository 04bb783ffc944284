/** Section 2 and 7 of the contract: attributes of users and of channels. */

import { same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function a_user_s_attributes_are_set_changed_and_gone_at_logout(world) {
  const [ann, bob] = await world.people(2);
  const read = () => bob.client.getUserAttributes(ann.uid);
  await ann.client.setLocalUserAttributes({ name: "Ann", role: "teacher" });
  same(await read(), { name: "Ann", role: "teacher" });
  await ann.client.addOrUpdateLocalUserAttributes({ role: "host", hand: "up" });
  same(sorted(await read()), { hand: "up", name: "Ann", role: "host" });
  same(await bob.client.getUserAttributesByKeys(ann.uid, ["hand", "nothing"]), { hand: "up" });
  await ann.client.deleteLocalUserAttributesByKeys(["hand"]);
  same(sorted(await read()), { name: "Ann", role: "host" });
  await ann.client.setLocalUserAttributes({ only: "this" });
  same(await read(), { only: "this" });
  await ann.client.clearLocalUserAttributes();
  same(await read(), {});
  await ann.client.setLocalUserAttributes({ soon: "gone" });
  await ann.client.logout();
  await world.refused(read(), "ATTRIBUTE_OPERATION_ERR", "USER_NOT_FOUND");
  const again = await world.person(ann.uid);
  same(await read(), {});
  void again;
}

/** @param {World} world */
export async function members_are_told_of_a_channel_s_attributes_when_asked_for(world) {
  const { room, ann, bob } = await world.pair();
  const told = { enableNotificationToChannelMembers: true };
  await ann.client.setChannelAttributes(room, { quiet: "1" });
  await ann.client.addOrUpdateChannelAttributes(room, { title: "Sums" }, told);
  const [attributes] = await bob.next("AttributesUpdated");
  same(sorted(values(attributes)), { quiet: "1", title: "Sums" });
  same(attributes.title.lastUpdateUserId, ann.uid);
  same(Math.abs(Date.now() - attributes.title.lastUpdateTs) < 60_000, true, "milliseconds");
  await bob.client.deleteChannelAttributesByKeys(room, ["quiet"], told);
  same(values((await bob.until(() => bob.all("AttributesUpdated")[1], "the second"))[0]), { title: "Sums" });
  same(values(await ann.client.getChannelAttributes(room)), { title: "Sums" });
  same(values(await ann.client.getChannelAttributesByKeys(room, ["title", "nothing"])), { title: "Sums" });
  await ann.client.clearChannelAttributes(room, told);
  same((await bob.until(() => bob.all("AttributesUpdated")[2], "the third"))[0], {});
  same(bob.all("AttributesUpdated").length, 3, "the first change was not to be told");
}

/** @param {World} world */
export async function a_channel_s_attributes_need_no_membership(world) {
  const [ann, bob] = await world.people(2);
  const room = unique("room");
  await ann.client.addOrUpdateChannelAttributes(room, { a: "1" });
  await bob.client.addOrUpdateChannelAttributes(room, { b: "2" });
  const attributes = await ann.client.getChannelAttributes(room);
  same(sorted(values(attributes)), { a: "1", b: "2" });
  same([attributes.a.lastUpdateUserId, attributes.b.lastUpdateUserId], [ann.uid, bob.uid]);
}

/** @param {World} world */
export async function attributes_that_cannot_be_are_refused(world) {
  const ann = await world.person();
  const room = unique("room");
  for (const [attributes, name] of /** @type {[any, string][]} */ ([
    [{}, "INVALID_ARGUMENT"],
    [{ a: "" }, "INVALID_ARGUMENT"],
    [{ a: 5 }, "INVALID_ARGUMENT"],
    [{ "": "x" }, "INVALID_ARGUMENT"],
    [{ a: "x".repeat(8 * 1024 + 1) }, "SIZE_OVERFLOW"],
    [Object.fromEntries(Array.from({ length: 33 }, (_, number) => [`key${number}`, "x"])), "SIZE_OVERFLOW"],
    [{ a: "x".repeat(8000), b: "x".repeat(8000), c: "x".repeat(800) }, "SIZE_OVERFLOW"],
  ])) {
    await world.refused(ann.client.setLocalUserAttributes(attributes), "ATTRIBUTE_OPERATION_ERR", name);
  }
  await world.refused(
    ann.client.setChannelAttributes(room, Object.fromEntries([..."abcde"].map((key) => [key, "x".repeat(8000)]))),
    "ATTRIBUTE_OPERATION_ERR",
    "SIZE_OVERFLOW",
  );
  await ann.client.setChannelAttributes(room, Object.fromEntries([..."abc"].map((key) => [key, "x".repeat(8000)])));
  await world.refused(
    ann.client.deleteLocalUserAttributesByKeys([]),
    "ATTRIBUTE_OPERATION_ERR",
    "INVALID_ARGUMENT",
  );
}

/** @param {World} world */
export async function a_revision_keeps_writers_apart(world) {
  const [ann, bob] = await world.people(2);
  const room = unique("room");
  await Promise.all([
    ann.client.addOrUpdateChannelAttributes(room, { ann: "1" }),
    bob.client.addOrUpdateChannelAttributes(room, { bob: "1" }),
  ]);
  same(Object.keys(await ann.client.getChannelAttributes(room)).sort(), ["ann", "bob"]);
  await world.refused(
    ann.client.addOrUpdateChannelAttributes(room, { ann: "2" }, { revision: 1 }),
    "ATTRIBUTE_OPERATION_ERR",
    "FAILURE",
  );
  await ann.client.addOrUpdateChannelAttributes(room, { ann: "2" }, { revision: 2 });
  same((await bob.client.getChannelAttributes(room)).ann.value, "2");
}

/** @param {Record<string, {value: string}>} attributes */
function values(attributes) {
  return Object.fromEntries(Object.entries(attributes).map(([key, { value }]) => [key, value]));
}

/** @template T @param {Record<string, T>} object @returns {Record<string, T>} */
function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort());
}
