/** Section 8 of the contract: calls. */

import { call } from "../calls.js";
import { same } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function a_call_is_accepted(world) {
  const { ann, bob, local, remote } = await call(world);
  remote.response = "Coming";
  same(remote.accept(), undefined);
  same(await ann.next("LocalInvitationAccepted"), ["Coming"]);
  await bob.next("RemoteInvitationAccepted");
  same([local.state, local.response, remote.state], ["ACCEPTED_BY_REMOTE", "Coming", "ACCEPTED"]);
  world.throws(() => local.cancel(), "INVITATION_API_CALL_ERR", "ALREADY_END");
  world.throws(() => local.send(), "INVITATION_API_CALL_ERR", "ALREADY_END");
}

/** @param {World} world */
export async function a_call_is_refused(world) {
  const { ann, bob, local, remote } = await call(world);
  remote.response = "Busy";
  remote.refuse();
  same(await ann.next("LocalInvitationRefused"), ["Busy"]);
  await bob.next("RemoteInvitationRefused");
  same([local.state, local.response, remote.state], ["REFUSED_BY_REMOTE", "Busy", "REFUSED"]);
}

/** @param {World} world */
export async function a_call_is_cancelled(world) {
  const { ann, bob, local, remote } = await call(world);
  world.throws(() => local.send(), "INVITATION_API_CALL_ERR", "ALREADY_SENT");
  same(local.cancel(), undefined);
  await ann.next("LocalInvitationCanceled");
  same(await bob.next("RemoteInvitationCanceled"), ["Lesson?"]);
  same([local.state, remote.state], ["CANCELED", "CANCELED"]);
  world.throws(() => remote.accept(), "INVITATION_API_CALL_ERR", "ALREADY_END");
}

/** @param {World} world */
export async function who_is_not_logged_in_calls_nobody(world) {
  const ann = world.stranger();
  const local = ann.invitation("bob");
  local.send();
  same(ann.all("LocalInvitationFailure"), [], "the event comes after send() returned");
  same(await ann.next("LocalInvitationFailure"), ["NOT_LOGGEDIN"]);
  same(local.state, "FAILURE");
}

/** @param {World} world */
export async function several_calls_go_on_at_once(world) {
  const [ann, bob, cid] = await world.people(3);
  const first = ann.invitation(cid.uid);
  const second = bob.invitation(cid.uid);
  first.send();
  const fromAnn = await cid.called();
  second.send();
  const fromBob = await cid.called();
  same([fromAnn.callerId, fromBob.callerId], [ann.uid, bob.uid]);
  fromBob.accept();
  fromAnn.refuse();
  await bob.next("LocalInvitationAccepted");
  await ann.next("LocalInvitationRefused");
}
