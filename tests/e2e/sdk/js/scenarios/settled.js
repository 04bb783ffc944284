/** Section 8 of the contract, as it is when a server gives nobody time any more to come back after its start. */

import { call } from "../calls.js";
import { same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function nobody_is_there_to_be_called(world) {
  const ann = await world.person();
  const local = ann.invitation(unique("nobody"));
  world.throws(() => local.cancel(), "INVITATION_API_CALL_ERR", "NOT_STARTED");
  local.content = "x".repeat(8 * 1024 + 1);
  world.throws(() => local.send(), "INVITATION_API_CALL_ERR", "INVALID_ARGUMENT");
  local.content = "x".repeat(8 * 1024);
  local.send();
  same(local.state, "SENT_TO_REMOTE");
  ann.patienceMs = 45_000;
  same(await ann.next("LocalInvitationFailure"), ["PEER_OFFLINE"]);
  same(local.state, "FAILURE");
}

/** @param {World} world */
export async function who_goes_ends_the_call(world) {
  const first = await call(world);
  await first.ann.client.logout();
  same(await first.bob.next("RemoteInvitationFailure"), ["PEER_OFFLINE"]);
  same(first.remote.state, "FAILURE");
  const second = await call(world);
  await second.bob.client.logout();
  same(await second.ann.next("LocalInvitationFailure"), ["PEER_OFFLINE"]);
  same(second.local.state, "FAILURE");
}
