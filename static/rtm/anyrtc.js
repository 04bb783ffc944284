/** The same with anyRTC's names: `import ArRTM, { RtmStatusCode } from "https://.../ar-rtm-sdk.mjs"`. */

import { createAll, originOf } from "./api/module.js";

export const { ArRTM, LocalInvitation, RemoteInvitation, RtmChannel, RtmClient, RtmErrorCode, RtmStatusCode } = createAll(
  originOf(import.meta.url),
);

export default ArRTM;
