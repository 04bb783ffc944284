/** The module `rtm-sdk.mjs`, which is `AgoraRTM` by default. */

import { createAll, originOf } from "./api/module.js";

export const { AgoraRTM, ArRTM, RostrumRTM, RtmStatusCode } = createAll(originOf(import.meta.url));

export default AgoraRTM;

/** @typedef {import("./session/session.js").Session} Session */
/** @typedef {import("./session/terms.js").Reason} Reason */
/** @typedef {import("./session/room.js").Room} Room */
/** @typedef {import("./connection/protocol.js").Entry} Entry */
/** @typedef {import("./connection/runtime.js").Runtime} Runtime */
