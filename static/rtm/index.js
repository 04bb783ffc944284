/** The module `rtm-sdk.mjs`, which is `AgoraRTM` by default. */

import { createAll, originOf } from "./api/module.js";

export const { AgoraRTM, ArRTM, RostrumRTM, RtmStatusCode } = createAll(originOf(import.meta.url));

export default AgoraRTM;
