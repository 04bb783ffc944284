/** Where the server is, and which of its endpoints an application's areas allow (docs/contract.md 1). */

import { RtmError } from "../connection/errors.js";
import { request } from "../connection/runtime.js";
import { renamed } from "./enums.js";

/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {import("../connection/runtime.js").SocketLike} SocketLike */
/** @typedef {{areaCodes: string[], excludedArea?: string}} AreaConfig */

/**
 * @param {any} config as the application gives it
 * @param {Readonly<Record<string, string>>} codes those that it may have: the old ones, or the new ones
 * @returns {AreaConfig | null} null where it is none
 */
export function areaConfig({ areaCodes, excludedArea } = /** @type {any} */ ({}), codes) {
  const isCode = (/** @type {any} */ code) => codes[code] === code;
  if (!Array.isArray(areaCodes) || areaCodes.length === 0 || !areaCodes.every(isCode)) return null;
  const named = areaCodes.map(renamed);
  if (!excludedArea && excludedArea !== "") return { areaCodes: named };
  if (!isCode(excludedArea) || excludedArea === "GLOBAL" || areaCodes.includes(excludedArea)) return null;
  return { areaCodes: named, excludedArea };
}

/** @param {AreaConfig} config */
const isEverywhere = ({ areaCodes, excludedArea }) => areaCodes.includes("GLOBAL") && !excludedArea;

/**
 * @param {AreaConfig} config
 * @param {string} area
 */
function allows({ areaCodes, excludedArea }, area) {
  if (area === excludedArea) return false;
  return areaCodes.includes("GLOBAL") || areaCodes.includes(area) || (area !== "CHINA" && areaCodes.includes("OVS"));
}

/** @param {string} server @returns {string} of the WebSocket */
export const socketUrl = (server) => `${server.replace(/^http/, "ws")}/rtm/ws`;

/**
 * How sockets are opened for these areas: the server's map is asked for before the first one, and each attempt that
 * fails is followed by the next of the endpoints.
 * @param {AreaConfig} config
 * @param {string} server
 * @param {Runtime} runtime
 * @param {(error: RtmError) => void} refuse no endpoint is in the areas
 * @param {(server: string) => void} chose told of each endpoint that is tried
 * @returns {Runtime["openSocket"]}
 */
export function areaSockets(config, server, runtime, refuse, chose) {
  if (isEverywhere(config)) return runtime.openSocket;
  /** @type {string[]} */
  let urls = [];
  let turn = 0;
  const find = async () => {
    const answer = await request(runtime, `${server}/rtm/endpoints`);
    /** @type {{endpoints: {area: string, url: string}[]}} */
    const { endpoints } = await answer.json();
    const inAreas = endpoints.filter(({ area }) => allows(config, area)).map(({ url }) => url);
    // A server that names none is everybody's.
    urls = (endpoints.length > 0 ? inAreas : [server]).map(baseOf);
    if (urls.length > 0) return;
    const named = endpoints.map(({ area }) => area).join(", ");
    refuse(new RtmError("no_endpoint", `no endpoint in ${config.areaCodes.join(", ")}, only in ${named}`));
  };
  return () =>
    lateSocket(async () => {
      if (urls.length === 0) await find();
      if (urls.length === 0) return null;
      const chosen = urls[turn++ % urls.length];
      chose(chosen);
      return runtime.openSocket(socketUrl(chosen));
    });
}

/**
 * A socket whose address is not known yet.
 * @param {() => Promise<SocketLike | null>} open
 * @returns {SocketLike}
 */
function lateSocket(open) {
  /** @type {SocketLike | null} */
  let real = null;
  let isClosed = false;
  /** @type {SocketLike} */
  const socket = {
    onopen: null,
    onmessage: null,
    onerror: null,
    onclose: null,
    send: (data) => real?.send(data),
    close: (code) => {
      isClosed = true;
      real?.close(code);
    },
  };
  const failed = () => socket.onclose?.({ code: 1006 });
  open().then((opened) => {
    real = opened;
    if (!real) return;
    if (isClosed) {
      real.close(1000);
      return;
    }
    for (const name of /** @type {const} */ (["onopen", "onmessage", "onclose"])) {
      real[name] = (event) => socket[name]?.(event);
    }
  }, failed);
  return socket;
}

/**
 * @param {string} url
 * @returns {string} without a slash at its end
 * @throws {TypeError} it is no address
 */
export const baseOf = (url) => new URL(url).href.replace(/\/+$/, "");
