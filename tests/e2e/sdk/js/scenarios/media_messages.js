/** Section 4 and 5 of the contract: messages with files and images. */

import { same } from "../world.js";

/** @typedef {import("../world.js").World} World */
/** @typedef {import("../world.js").Person} Person */

/** Six wide, four high. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAAFElEQVR42mM8ISfHgAqYGDAAcUIATU4BDNzEGswAAAAASUVORK5CYII=";
const image = () => new Blob([Uint8Array.from(atob(PNG), (letter) => letter.charCodeAt(0))]);

/** @param {Person} person @param {object} [more] */
const uploaded = (person, more) =>
  person.client.createMediaMessageByUploading(image(), { messageType: "IMAGE", fileName: "red.png", ...more });

/** @param {World} world */
export async function a_peer_gets_an_image_and_fetches_it(world) {
  const [ann, bob] = await world.people(2);
  const params = { description: "a red one", thumbnail: image(), thumbnailWidth: 6, thumbnailHeight: 4 };
  same(await ann.client.sendMessageToPeer(await uploaded(ann, params), bob.uid), { hasPeerReceived: true });
  const [message, from, props] = await bob.next("MessageFromPeer");
  same([message.messageType, from, props.isOfflineMessage], ["IMAGE", ann.uid, false]);
  same([message.fileName, message.description, message.size], ["red.png", "a red one", image().size]);
  same([message.width, message.height, message.thumbnailWidth, message.thumbnailHeight], [6, 4, 6, 4]);
  const bytesOf = async (/** @type {Blob} */ blob) => new Uint8Array(await blob.arrayBuffer());
  same(await bytesOf(message.thumbnail), await bytesOf(image()));
  const blob = await bob.client.downloadMedia(message.mediaId);
  same([blob.size, blob.type], [image().size, "image/png"]);
  const cid = await world.person();
  await world.refused(cid.client.downloadMedia(message.mediaId), "DOWNLOAD_MEDIA_ERR", "NOT_EXIST");
}

/** @param {World} world */
export async function members_get_what_a_known_id_stands_for_in_the_order_of_sending(world) {
  const { room, ann, bob, annsChannel, bobsChannel } = await world.pair();
  const message = await uploaded(ann, { thumbnail: image(), thumbnailWidth: 6, thumbnailHeight: 4 });
  const sendings = [annsChannel.sendMessage(message), annsChannel.sendMessage({ text: "behind" })];
  await Promise.all(sendings);
  const got = [await bob.next("ChannelMessage"), await bob.next("ChannelMessage")];
  same(got.map(([each]) => each.text ?? each.mediaId), [message.mediaId, "behind"]);
  const known = bob.client.createMessage({ messageType: "FILE", mediaId: message.mediaId });
  await bobsChannel.sendMessage(known);
  const [forwarded, from] = await ann.next("ChannelMessage");
  same([forwarded.messageType, forwarded.fileName, from], ["FILE", "red.png", bob.uid]);
  const { messages } = await bob.client.getMessageHistory({ channelId: room, order: "asc" });
  same(
    messages.map((/** @type {any} */ entry) => entry.message.messageType),
    ["IMAGE", "TEXT", "FILE"],
  );
  same((await bob.client.downloadMedia(messages[0].message.mediaId)).size, image().size);
}

/** @param {World} world */
export async function who_is_away_gets_the_file_that_was_kept(world) {
  const [ann, bob] = await world.people(2);
  await bob.client.logout();
  const flags = { enableOfflineMessaging: true, enableHistoricalMessaging: true };
  same(await ann.client.sendMessageToPeer(await uploaded(ann), bob.uid, flags), { hasPeerReceived: false });
  const back = await world.person(bob.uid);
  const [message, from, props] = await back.next("MessageFromPeer");
  same([message.messageType, from, props.isOfflineMessage], ["IMAGE", ann.uid, true]);
  const { messages } = await back.client.getMessageHistory({ peerId: ann.uid });
  same(messages[0].message.mediaId, message.mediaId);
}

/** @param {World} world */
export async function a_file_that_is_not_there_is_not_sent(world) {
  const { ann, bob, annsChannel } = await world.pair();
  const unknown = { messageType: "FILE", mediaId: "0".repeat(32) };
  await world.refused(ann.client.sendMessageToPeer(unknown, bob.uid), "PEER_MESSAGE_ERR", "FAILURE");
  await world.refused(annsChannel.sendMessage(unknown), "CHANNEL_MESSAGE_ERR", "FAILURE");
  const wrong = { ...unknown, mediaId: "no id" };
  await world.refused(ann.client.sendMessageToPeer(wrong, bob.uid), "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
  const message = await uploaded(ann, { description: "d" });
  const large = { ...message, thumbnail: new Blob(["x".repeat(32 * 1024)]) };
  await world.refused(ann.client.sendMessageToPeer(large, bob.uid), "PEER_MESSAGE_ERR", "INVALID_MESSAGE");
}
