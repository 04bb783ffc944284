/** The same with anyRTC's names: `import ArRTM, { RtmStatusCode } from ".../ar-rtm-sdk.mjs"`. */

export {
  ArRTM,
  ArRTM as default,
  LocalInvitation,
  RemoteInvitation,
  RtmChannel,
  RtmClient,
  RtmErrorCode,
  RtmStatusCode,
} from "./index.js";
