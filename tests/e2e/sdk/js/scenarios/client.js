/** Section 1, 2 and 6 of the contract: the module, logging in and out, states. */

import { pause, same, unique } from "../world.js";

/** @typedef {import("../world.js").World} World */

/** A login sooner after another is too often. */
const LOGIN_PAUSE_MS = 550;
const STATES = ["DISCONNECTED", "CONNECTING", "CONNECTED", "RECONNECTING", "ABORTED"];
const REASONS = [
  "LOGIN",
  "LOGIN_SUCCESS",
  "LOGIN_FAILURE",
  "LOGIN_TIMEOUT",
  "INTERRUPTED",
  "LOGOUT",
  "BANNED_BY_SERVER",
  "REMOTE_LOGIN",
  "TOKEN_EXPIRED",
];

/** @param {World} world */
export async function the_module_has_its_members(world) {
  const { rtm } = world;
  same(typeof rtm.VERSION, "string");
  same(typeof rtm.BUILD, "string");
  same(rtm.END_CALL_PREFIX, world.isAgora ? "AgoraRTMLegacyEndcallCompatibleMessagePrefix" : "");
  for (const level of ["OFF", "ERROR", "WARNING", "INFO"]) {
    same(typeof rtm[`LOG_FILTER_${level}`], world.isAgora ? "object" : "number", level);
  }
  if (world.isAgora) same(Object.keys(rtm.LOG_FILTER_OFF).sort(), ["debug", "error", "info", "track", "warn"]);
  for (const [name, values] of Object.entries({ ConnectionState: STATES, ConnectionChangeReason: REASONS })) {
    for (const value of values) same(rtm[name][value], value, name);
  }
  for (const app of ["", "0".repeat(31), "0".repeat(33), `${"0".repeat(31)}-`, undefined]) {
    world.throws(() => rtm.createInstance(app), "CREATE_INSTANCE_ERR", "INVALID_ARGUMENT");
  }
}

/** @param {World} world */
export async function logging_in_and_out_tells_of_each_state(world) {
  const ann = world.stranger();
  if (world.isAgora) await world.refused(ann.client.logout(), "LOGOUT_ERR", "USER_NOT_LOGGED_IN");
  else await ann.client.logout();
  const again = world.stranger(ann.uid);
  const login = again.client.login({ uid: again.uid, token: null });
  same(again.states, ["CONNECTING/LOGIN"], "told synchronously");
  same(await login, undefined);
  same(again.states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"]);
  same(await again.client.logout(), undefined);
  same(again.states.slice(2), ["DISCONNECTED/LOGOUT"]);
}

/** @param {World} world */
export async function the_same_object_logs_in_again_as_somebody_else(world) {
  const [ann, bob] = await world.people(2);
  const room = unique("room");
  await ann.join(room);
  await ann.client.logout();
  const other = unique("other");
  await pause(LOGIN_PAUSE_MS);
  await ann.client.login({ uid: other });
  same(ann.states.length, world.isAgora ? 5 : 3, "listeners stay, and are removed at anyRTC's");
  await world.refused(ann.channels.get(room).sendMessage({ text: "x" }), "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
  await bob.client.sendMessageToPeer({ text: "to the other" }, other);
  same((await bob.client.queryPeersOnlineStatus([ann.uid, other]))[other], true);
  same((await bob.client.queryPeersOnlineStatus([ann.uid]))[ann.uid], false);
}

/** @param {World} world */
export async function a_second_login_is_refused(world) {
  const ann = world.stranger();
  for (const uid of ["", "null", "x".repeat(65), "é", "a*b", undefined]) {
    await world.refused(ann.client.login({ uid, token: null }), "LOGIN_ERR", "INVALID_ARGUMENT");
  }
  const first = ann.client.login({ uid: ann.uid });
  await world.refused(ann.client.login({ uid: ann.uid }), "LOGIN_ERR", "TOO_OFTEN");
  await first;
  await pause(LOGIN_PAUSE_MS);
  await world.refused(ann.client.login({ uid: ann.uid }), "LOGIN_ERR", "ALREADY_LOGIN");
  same(ann.states, ["CONNECTING/LOGIN", "CONNECTED/LOGIN_SUCCESS"], "nothing of it shows");
}

/** @param {World} world */
export async function a_logout_ends_a_login_under_way(world) {
  const ann = world.stranger();
  const login = ann.client.login({ uid: ann.uid });
  const logout = ann.client.logout();
  await world.refused(login, "LOGIN_ERR", "ABORTED_BY_LOGOUT");
  await logout.catch(() => {});
  same(ann.states.at(-1), "DISCONNECTED/LOGOUT");
}

/** @param {World} world */
export async function an_unknown_app_is_refused(world) {
  const ann = world.stranger("ann", "f".repeat(32));
  await world.refused(ann.client.login({ uid: "ann" }), "LOGIN_ERR", "INVALID_APP_ID");
  same(ann.states, ["CONNECTING/LOGIN", "DISCONNECTED/LOGIN_FAILURE"]);
}

/** @param {World} world */
export async function the_same_uid_elsewhere_takes_over(world) {
  const { ann, bob, room } = await world.pair();
  const elsewhere = await world.person(ann.uid);
  await ann.reached("ABORTED", "REMOTE_LOGIN");
  await world.refused(ann.client.sendMessageToPeer({ text: "x" }, bob.uid), "PEER_MESSAGE_ERR", "USER_NOT_LOGGED_IN");
  await pause(LOGIN_PAUSE_MS);
  await world.refused(ann.client.login({ uid: ann.uid }), "LOGIN_ERR", "ALREADY_LOGIN");
  await elsewhere.join(room);
  await bob.client.sendMessageToPeer({ text: "hello" }, ann.uid);
  same((await elsewhere.next("MessageFromPeer"))[0].text, "hello");
  same(ann.all("MessageFromPeer"), []);
  await ann.client.logout();
  same(ann.states.at(-1), "DISCONNECTED/LOGOUT");
  await elsewhere.client.logout();
  await ann.client.login({ uid: ann.uid });
}

/** @param {World} world */
export async function listeners_come_and_go(world) {
  const ann = world.stranger();
  /** @type {string[]} */
  const heard = [];
  const always = () => heard.push("always");
  const first = ann.client.on("ConnectionStateChanged", always);
  if (world.isAgora) same(first === ann.client, true, "on() chains");
  ann.client.once("ConnectionStateChanged", () => heard.push("once"));
  same(ann.client.listenerCount("ConnectionStateChanged"), 3);
  same(ann.client.listeners("ConnectionStateChanged").includes(always), true);
  same(ann.client.rawListeners("ConnectionStateChanged").length, 3);
  await ann.client.login({ uid: ann.uid });
  same(heard, ["always", "once", "always"]);
  ann.client.off("ConnectionStateChanged", always);
  same(ann.client.listenerCount("ConnectionStateChanged"), 1);
  ann.client.removeAllListeners("ConnectionStateChanged");
  same(ann.client.listenerCount("ConnectionStateChanged"), 0);
  await ann.client.logout();
  same(heard.length, 3);
}

/** @param {World} world */
export async function settings_are_taken_at_once(world) {
  const ann = await world.person();
  same(ann.client.updateConfig({ logFilter: world.rtm.LOG_FILTER_OFF }), undefined);
  same(ann.client.setParameters({ enableLogUpload: false }), undefined);
  await ann.client.setBusinessId("lesson-7");
}

/** @param {World} world */
export async function without_a_login_calls_are_refused(world) {
  const { client } = world.stranger();
  const name = "USER_NOT_LOGGED_IN";
  await world.refused(client.sendMessageToPeer({ text: "x" }, "bob"), "PEER_MESSAGE_ERR", name);
  await world.refused(client.renewToken("x"), "RENEW_TOKEN_ERR", name);
  await world.refused(client.setLocalUserAttributes({ a: "1" }), "ATTRIBUTE_OPERATION_ERR", name);
  await world.refused(client.getUserAttributes("bob"), "ATTRIBUTE_OPERATION_ERR", name);
  await world.refused(client.getChannelAttributes("room"), "ATTRIBUTE_OPERATION_ERR", name);
  await world.refused(client.getChannelMemberCount(["room"]), "GET_CHANNEL_MEMBER_COUNT_ERR", name);
  await world.refused(client.queryPeersOnlineStatus(["bob"]), "QUERY_PEERS_ONLINE_STATUS_ERR", name);
  await world.refused(client.subscribePeersOnlineStatus(["bob"]), "PEER_SUBSCRIPTION_STATUS_ERR", name);
  await world.refused(
    client.queryPeersBySubscriptionOption("ONLINE_STATUS"),
    "QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR",
    name,
  );
  await world.refused(client.createChannel("room").join(), "JOIN_CHANNEL_ERR", name);
  await world.refused(client.createChannel("room").sendMessage({ text: "x" }), "CHANNEL_MESSAGE_ERR", "NOT_IN_CHANNEL");
}
