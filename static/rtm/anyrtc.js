/** The module `ar-rtm-sdk.mjs`, which is `ArRTM` by default and has anyRTC's other names. */

import { createAll, originOf } from "./api/module.js";

export const { ArRTM, LocalInvitation, RemoteInvitation, RtmChannel, RtmClient, RtmErrorCode, RtmStatusCode } = createAll(
  originOf(import.meta.url),
);

export default ArRTM;
