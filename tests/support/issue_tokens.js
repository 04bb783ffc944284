// Issues tokens with the vendor's own packages. Reads {appId, certificate, uid, validFor}, in seconds, from its
// argument; writes them by package, as JSON.

import accessToken from "agora-access-token";
import token2 from "agora-token";

const { appId, certificate, uid, validFor } = JSON.parse(process.argv[2] ?? "");
const now = Math.floor(Date.now() / 1000);

console.log(
  JSON.stringify({
    "agora-access-token": accessToken.RtmTokenBuilder.buildToken(
      appId,
      certificate,
      uid,
      accessToken.RtmRole.Rtm_User,
      now + validFor,
    ),
    "agora-token": token2.RtmTokenBuilder.buildToken(appId, certificate, uid, validFor),
    "agora-token, of RTC and RTM": token2.RtcTokenBuilder.buildTokenWithRtm(
      appId,
      certificate,
      "a channel",
      uid,
      token2.RtcRole.PUBLISHER,
      validFor,
      validFor,
    ),
  }),
);
