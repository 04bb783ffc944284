/** Runs the examples of docs/sdk.md in a page: gives them what they take as given, and collects what they print. */

import AgoraRTM from "/static/rtm/dist/rtm-sdk.mjs";
import * as anyRtc from "/static/rtm/dist/ar-rtm-sdk.mjs";
import { format } from "./format.js";

/**
 * @typedef {object} Example
 * @property {string} source a module that prints with `print(line, ...)`
 * @property {"page" | "worker"} place
 * @property {string[]} given names that it takes as given
 * @property {string} app App ID
 * @property {Record<string, string>} expected what its lines print, by number; "..." is anything
 */

/** Who is logged in under which name. */
const USERS = /** @type {Record<string, string>} */ ({ client: "ann", bob: "bob", carol: "carol" });
const DEADLINE_MS = 20_000;

/**
 * @param {Example} example
 * @returns {Promise<Record<string, string>>} what was printed; rejects with what the example throws
 */
export async function run({ source, place, given, app, expected }) {
  /** @type {Record<string, string>} */
  const printed = {};
  /** @type {() => void} */
  let looked = () => {};
  const print = (/** @type {number} */ line, /** @type {unknown[]} */ ...args) => {
    printed[line] = printed[line] === undefined ? format(args) : `${printed[line]}, then ${format(args)}`;
    looked();
  };
  const complete = new Promise((resolve) => {
    looked = () => agreeing([printed, expected]) && resolve(null);
  });
  const ran = place === "worker" ? inWorker(source, app, print) : inPage(source, given, { print, APP_ID: app });
  const late = new Promise((resolve) => setTimeout(resolve, DEADLINE_MS));
  await Promise.race([Promise.all([ran.then(looked), complete]), late]);
  return printed;
}

/**
 * @param {string | undefined} text
 * @param {string} expected "..." is anything
 */
function agrees(text, expected) {
  const parts = expected.split("...").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(text ?? "");
}

/** @param {[printed: Record<string, string>, expected: Record<string, string>]} pair */
export const agreeing = ([printed, expected]) =>
  Object.entries(expected).every(([line, text]) => agrees(printed[line], text));

/**
 * @param {string} source
 * @param {string[]} given
 * @param {{APP_ID: string, print: object}} own
 */
async function inPage(source, given, own) {
  const scope = { ...own, ...(await scopeOf(given, own.APP_ID)) };
  Object.assign(globalThis, { scope });
  const prelude = `const { ${Object.keys(scope).join(", ")} } = globalThis.scope;`;
  await import(moduleUrl(`${prelude}${source}\n//# sourceURL=example.js`));
}

/**
 * @param {string} source
 * @param {string} app
 * @param {(line: number, ...args: unknown[]) => void} print
 * @returns {Promise<void>} when the module has been evaluated
 */
function inWorker(source, app, print) {
  const prelude = `const APP_ID = "${app}"; const print = (...args) => postMessage(args);`;
  const worker = new Worker(moduleUrl(`${prelude}${source}\npostMessage(null);`), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data === null ? resolve() : print(.../** @type {[number]} */ (data)));
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

/** @param {string} text */
const moduleUrl = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));

/**
 * @param {string[]} given
 * @param {string} app
 */
async function scopeOf(given, app) {
  /** @type {Record<string, any>} */
  const scope = given.includes("AgoraRTM") ? { AgoraRTM } : {};
  /** @type {(uid: string, seconds?: number) => Promise<string>} `issueToken` is the test's */
  const fetchToken = (uid, seconds = 3600) => /** @type {any} */ (globalThis).issueToken(uid, seconds);
  if (given.includes("fetchToken")) scope.fetchToken = fetchToken;
  for (const [name, uid] of Object.entries(USERS).filter(([name]) => given.includes(name))) {
    scope[name] = AgoraRTM.createInstance(app, { logFilter: AgoraRTM.LOG_FILTER_OFF });
    await scope[name].login({ uid, token: scope.fetchToken ? await fetchToken(uid) : null });
  }
  if (given.includes("bobChannel")) await (scope.bobChannel = scope.bob.createChannel("math")).join();
  if (given.includes("channel")) await (scope.channel = scope.client.createChannel("math")).join();
  if (given.includes("wx")) scope.wx = { connectSocket };
  return scope;
}

/**
 * As in a WeChat mini program.
 * @param {{url: string}} options
 */
function connectSocket({ url }) {
  const socket = new WebSocket(url);
  const on = (/** @type {string} */ name) => (/** @type {(event: any) => void} */ listener) =>
    socket.addEventListener(name, listener);
  return {
    onOpen: on("open"),
    onMessage: on("message"),
    onError: on("error"),
    onClose: on("close"),
    send: (/** @type {{data: string}} */ { data }) => socket.send(data),
    close: (/** @type {{code?: number}} */ { code } = {}) => socket.close(code),
  };
}

/** @returns {string[]} the methods of everything that the SDK exports, as it runs */
export function methods() {
  const classes = [anyRtc.RtmClient, anyRtc.RtmChannel, anyRtc.LocalInvitation, anyRtc.RemoteInvitation];
  const names = classes.flatMap((each) => methodsOf(each.prototype));
  for (const module of [AgoraRTM, anyRtc.ArRTM]) {
    names.push(...Object.entries(module).flatMap(([name, value]) => (typeof value === "function" ? [name] : [])));
  }
  return [...new Set(names)].sort();
}

/** @param {any} prototype @returns {string[]} */
function methodsOf(prototype) {
  if (prototype === Object.prototype) return [];
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { value }]) =>
    typeof value === "function" && name !== "constructor" ? [name] : [],
  );
  return [...own, ...methodsOf(Object.getPrototypeOf(prototype))];
}
