/** The classic script: sets the globals `AgoraRTM`, `ArRTM`, `RostrumRTM`, and those that anyRTC's script sets. */

import "./order.js";
import { createAll, originOf } from "./api/module.js";

const script = /** @type {HTMLScriptElement | null | undefined} */ (globalThis.document?.currentScript);
Object.assign(globalThis, createAll(originOf(script?.src)));
