/** Section 2 of the contract: who is online. */

import { pause, same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function who_is_online_is_answered(world) {
  const [ann, bob] = await world.people(2);
  const nobody = unique("nobody");
  same(await ann.client.queryPeersOnlineStatus([bob.uid, nobody]), { [bob.uid]: true, [nobody]: false });
}

/** @param {World} world */
export async function a_subscription_tells_the_states_and_their_changes(world) {
  const [ann, bob] = await world.people(2);
  const nobody = unique("nobody");
  await ann.client.subscribePeersOnlineStatus([bob.uid, nobody]);
  same(await ann.next("PeersOnlineStatusChanged"), [{ [bob.uid]: "ONLINE", [nobody]: "OFFLINE" }]);
  await ann.client.subscribePeersOnlineStatus([bob.uid]);
  same((await ann.client.queryPeersBySubscriptionOption("ONLINE_STATUS")).sort(), [bob.uid, nobody].sort());
  await bob.client.logout();
  await ann.until(() => last(ann, bob.uid) === "OFFLINE", "the going");
  const back = await world.person(bob.uid);
  await ann.until(() => last(ann, bob.uid) === "ONLINE", "the coming");
  await ann.client.unsubscribePeersOnlineStatus([bob.uid]);
  same(await ann.client.queryPeersBySubscriptionOption("ONLINE_STATUS"), [nobody]);
  const seen = ann.all("PeersOnlineStatusChanged").length;
  await back.client.logout();
  await world.person(nobody);
  await ann.until(() => last(ann, nobody) === "ONLINE", "somebody else's coming");
  same(ann.all("PeersOnlineStatusChanged").length, seen + 1, "nothing more of who is not subscribed to");
  await ann.client.logout();
  await pause(550);
  await ann.client.login({ uid: ann.uid });
  same(await ann.client.queryPeersBySubscriptionOption("ONLINE_STATUS"), [], "gone at logout");
}

/** @param {World} world */
export async function questions_that_cannot_be_are_refused(world) {
  const ann = await world.person();
  const uids = (/** @type {number} */ count) => Array.from({ length: count }, (_, number) => `user${number}`);
  const name = "INVALID_ARGUMENT";
  for (const ids of [uids(257), ["a*b"], "ann"]) {
    await world.refused(ann.client.queryPeersOnlineStatus(ids), "QUERY_PEERS_ONLINE_STATUS_ERR", name);
  }
  same(Object.keys(await ann.client.queryPeersOnlineStatus(uids(256))).length, 256);
  await world.refused(ann.client.subscribePeersOnlineStatus(["a*b"]), "PEER_SUBSCRIPTION_STATUS_ERR", name);
  await ann.client.subscribePeersOnlineStatus(uids(512));
  await world.refused(ann.client.subscribePeersOnlineStatus(["more"]), "PEER_SUBSCRIPTION_STATUS_ERR", "OVERFLOW");
  const queries = uids(20).map((uid) => ann.client.queryPeersOnlineStatus([uid]));
  const refusals = (await Promise.allSettled(queries)).filter((one) => one.status === "rejected");
  same(refusals.length > 0, true, "ten in five seconds");
  for (const refusal of refusals) {
    world.isRefusal(/** @type {any} */ (refusal).reason, "QUERY_PEERS_ONLINE_STATUS_ERR", "TOO_OFTEN");
  }
}

/** @param {import("../world.js").Person} person @param {string} uid the last state told of */
function last(person, uid) {
  return Object.assign({}, ...person.all("PeersOnlineStatusChanged").map(([states]) => states))[uid];
}
