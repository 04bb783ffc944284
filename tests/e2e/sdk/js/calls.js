/** What scenarios of invitations begin with. */

import { same } from "./world.js";

/** @typedef {import("./world.js").World} World */

/** A call under way. @param {World} world */
export async function call(world) {
  const [ann, bob] = await world.people(2);
  const local = ann.invitation(bob.uid);
  local.content = "Lesson?";
  local.channelId = "classroom";
  same(local.state, "IDLE");
  same(local.calleeId, bob.uid);
  same(local.send(), undefined);
  const remote = await bob.called();
  await ann.next("LocalInvitationReceivedByPeer");
  same(local.state, "RECEIVED_BY_REMOTE");
  same(remote.state, "INVITATION_RECEIVED");
  same([remote.callerId, remote.content, remote.channelId], [ann.uid, "Lesson?", "classroom"]);
  return { ann, bob, local, remote };
}
