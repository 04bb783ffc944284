/** The SDK's clients as programs have them, of both vendors, on one fake server. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { AgoraRTM, ArRTM } from "../../../static/rtm/index.js";
import { after } from "./people.js";

/** @typedef {import("../../../static/rtm/api/client.js").RtmClient} RtmClient */
/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */
/** @typedef {{name: string, rtm: typeof AgoraRTM, isAnyRtc: boolean}} Vendor */

export const APP_ID = "0123456789abcdef0123456789abcdef";

/** @type {Vendor} */
export const AGORA = { name: "Agora", rtm: AgoraRTM, isAnyRtc: false };
/** @type {Vendor} */
export const ANYRTC = { name: "anyRTC", rtm: ArRTM, isAnyRtc: true };
export const VENDORS = [AGORA, ANYRTC];

/** @param {FakeRuntime} runtime @param {Vendor} [vendor] @param {object} [config] @returns {RtmClient} */
export function makeClient(runtime, { rtm } = AGORA, config = {}) {
  return rtm.createInstance(APP_ID, { server: "https://rtm.example", runtime, logFilter: 4, ...config });
}

/** @param {FakeRuntime} runtime @param {string} uid @param {Vendor} [vendor] @returns {Promise<RtmClient>} logged in */
export async function logIn(runtime, uid, vendor) {
  const client = makeClient(runtime, vendor);
  await after(runtime, client.login({ uid }));
  return client;
}

/** @param {RtmClient} client @returns {string[]} its states from now on */
export function statesOf(client) {
  /** @type {string[]} */
  const states = [];
  client.on("ConnectionStateChanged", (state, reason) => states.push(`${state} ${reason}`));
  return states;
}

/** @type {Record<string, Record<string, [agora: number, anyrtc: number]>>} the contract's table, by group and name */
export const NUMBERS = {};
const contract = readFileSync(new URL("../../../docs/contract.md", import.meta.url), "utf8");
for (const [, groups, codes] of contract.matchAll(/^\| ([`A-Z_, ]+_ERR`) \| (.+) \|$/gm)) {
  for (const group of groups.replaceAll("`", "").split(", ")) {
    const entries = [...codes.matchAll(/([A-Z_]+) (\d+)(?:\/(\d+))?/g)];
    NUMBERS[group] = Object.fromEntries(
      entries.map(([, name, agora, anyrtc = agora]) => [name, [Number(agora), Number(anyrtc)]]),
    );
  }
}
assert.ok(Object.keys(NUMBERS).length >= 18, "the contract has a table of error numbers");

/** @param {Vendor} vendor @param {string} group @param {string} name @returns {number} as the contract has it */
export const numberOf = ({ isAnyRtc }, group, name) => NUMBERS[group][name][Number(isAnyRtc)];

/**
 * The error that a promise rejects with.
 * @param {Promise<unknown>} promise
 * @returns {Promise<any>}
 */
export const failure = (promise) =>
  promise.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );

/** @param {() => unknown} action @returns {any} the error it throws */
export function thrown(action) {
  try {
    action();
  } catch (error) {
    return error;
  }
  return assert.fail("it did not throw");
}

/**
 * Asserts what a program sees of an error.
 * @param {any} error
 * @param {Vendor} vendor
 * @param {string} group
 * @param {string} name
 */
export function assertError(error, vendor, group, name) {
  assert.ok(error instanceof Error);
  const { code, message } = /** @type {any} */ (error);
  assert.deepEqual([code, message.split(":")[0]], [numberOf(vendor, group, name), `${group}_${name}`]);
  assert.ok(message.length > `${group}_${name}: `.length, "the message says more");
}
