/** What pages import: `import AgoraRTM from "https://.../rtm-sdk.mjs"`. */

import { createAll, originOf } from "./api/module.js";

export const { AgoraRTM, ArRTM, RostrumRTM, RtmStatusCode } = createAll(originOf(import.meta.url));

export default AgoraRTM;
