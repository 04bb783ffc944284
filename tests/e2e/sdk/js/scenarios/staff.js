/** Section 6 and 9 of the contract: what the server's staff and the clock of a token do to a session. */

import { same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** @param {World} world */
export async function who_is_kicked_out_may_come_back(world) {
  const { ann, bob, room } = await world.pair();
  await world.ask("kick", world.app, bob.uid);
  await bob.reached("ABORTED", "BANNED_BY_SERVER");
  same(await ann.next("MemberLeft"), [bob.uid]);
  await world.refused(bob.channels.get(room).leave(), "LEAVE_CHANNEL_ERR", "USER_NOT_LOGGED_IN");
  await bob.client.logout();
  await bob.client.login({ uid: bob.uid });
}

/** @param {World} world */
export async function who_is_banned_stays_out(world) {
  const ann = await world.person();
  await world.ask("ban", world.app, ann.uid);
  await ann.reached("ABORTED", "BANNED_BY_SERVER");
  await ann.client.logout();
  await world.refused(ann.client.login({ uid: ann.uid }), "LOGIN_ERR", "REJECTED");
}

/** @param {World} world */
export async function a_token_runs_out_and_another_goes_on(world) {
  const app = await world.ask("app with a certificate");
  const bob = world.stranger(unique("bob"), app);
  await bob.client.login({ uid: bob.uid, token: await world.ask("token", app, bob.uid, "3600") });
  const room = unique("room");
  const bobsChannel = await bob.join(room);

  const ann = world.stranger(unique("ann"), app);
  await world.refused(ann.client.login({ uid: ann.uid }), "LOGIN_ERR", "INVALID_TOKEN");
  const bobs = await world.ask("token", app, bob.uid, "3600");
  await world.refused(ann.client.login({ uid: ann.uid, token: bobs }), "LOGIN_ERR", "INVALID_TOKEN");
  const another = await world.ask("token", app, ann.uid, "3600");
  await ann.client.login({ uid: ann.uid, token: await world.ask("token", app, ann.uid, "4") });
  await ann.join(room);
  await world.refused(ann.client.renewToken("nonsense"), "RENEW_TOKEN_ERR", "INVALID_TOKEN");
  await world.refused(ann.client.renewToken(""), "RENEW_TOKEN_ERR", "INVALID_ARGUMENT");
  await ann.next("TokenPrivilegeWillExpire");
  await ann.next("TokenExpired");
  await ann.until(() => ann.states.at(-1)?.startsWith("RECONNECTING/"), "the session to wait for a token");
  await bobsChannel.sendMessage({ text: "meanwhile" });
  await ann.client.renewToken(another);
  await ann.until(() => ann.states.at(-1) === "CONNECTED/LOGIN_SUCCESS", "the session to go on");
  same((await ann.next("ChannelMessage"))[0].text, "meanwhile");
  same(bob.all("MemberLeft"), [], "nobody saw a thing");
}

/** @param {World} world */
export async function a_token_is_renewed_in_time(world) {
  const app = await world.ask("app with a certificate");
  const ann = world.stranger(unique("ann"), app);
  const another = await world.ask("token", app, ann.uid, "3600");
  await ann.client.login({ uid: ann.uid, token: await world.ask("token", app, ann.uid, "4") });
  await ann.next("TokenPrivilegeWillExpire");
  same(await ann.client.renewToken(another), undefined);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  await ann.client.sendMessageToPeer({ text: "still here" }, ann.uid);
  same(ann.all("TokenExpired"), []);
  same(ann.states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
}
