/** What the types refuse. TypeScript has `@ts-expect-error` from 3.9 on: for today's alone. */

import AgoraRTM from "../../../static/rtm/types/rtm-sdk";
import ArRTM from "../../../static/rtm/types/ar-rtm-sdk";
import type { RtmClient, RtmMessage } from "../../../static/rtm/types/rtm-sdk";

const client: RtmClient = AgoraRTM.createInstance("0123456789abcdef0123456789abcdef");
const channel = client.createChannel("math");
const invitation = client.createLocalInvitation("bob");

// @ts-expect-error a number is no App ID
AgoraRTM.createInstance(7);
// @ts-expect-error a uid is wanted
client.login({ token: "007" });
// @ts-expect-error no such event
client.on("MessageFromNobody", () => undefined);
// @ts-expect-error the state is no number
client.on("ConnectionStateChanged", (state: number) => state);
// @ts-expect-error a message has a text or bytes
channel.sendMessage({});
// @ts-expect-error not both
channel.sendMessage({ text: "hi", rawMessage: new Uint8Array(1) });
// @ts-expect-error a file is an id
client.createMessage({ messageType: "FILE", mediaId: 7 });
// @ts-expect-error a file or an image
client.createMediaMessageByUploading(new Blob(), { messageType: "TEXT" });
// @ts-expect-error values are strings
client.setLocalUserAttributes({ age: 7 });
// @ts-expect-error a list of ids
client.queryPeersOnlineStatus("bob");
// @ts-expect-error the enum, not any string
client.queryPeersBySubscriptionOption("SOMETHING");
// @ts-expect-error the callee's
invitation.response = "yes";
// @ts-expect-error the SDK's
channel.channelId = "physics";
// @ts-expect-error anyRTC's log levels are numbers
ArRTM.createInstance("0123456789abcdef0123456789abcdef", { logFilter: AgoraRTM.LOG_FILTER_OFF });
// @ts-expect-error Agora's event names only
client.on("TokenDidExpired", () => undefined);

export function text(message: RtmMessage): string {
  // @ts-expect-error it may be a message of another type
  return message.text;
}
