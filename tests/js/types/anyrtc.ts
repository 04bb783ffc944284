/** A program that uses every member as the types of anyRTC RTM 1.0 declare it. */

import ArRTM, {
  LocalInvitation,
  RemoteInvitation,
  RtmChannel,
  RtmClient,
  RtmErrorCode,
  RtmStatusCode,
} from "../../../static/rtm/types/ar-rtm-sdk";
import type {
  AttributesMap,
  ChannelAttributeOptions,
  ChannelAttributeProperties,
  ChannelAttributes,
  ChannelMemberCountResult,
  MediaOperationProgress,
  MediaTransferHandler,
  PeerMessageSendResult,
  PeersOnlineStatusMap,
  PeersOnlineStatusResult,
  ReceivedMessageProperties,
  RtmEvents,
  RtmFileMessage,
  RtmImageMessage,
  RtmMessage,
  RtmParameters,
  RtmRawMessage,
  RtmTextMessage,
  SendMessageOptions,
} from "../../../static/rtm/types/ar-rtm-sdk";

const APP_ID = "0123456789abcdef0123456789abcdef";
const parameters: RtmParameters = {
  logFilter: ArRTM.LOG_FILTER_WARNING,
  confPriCloudAddr: { ServerAdd: "rtm.example", Port: 443, Wss: true },
};

export const client: RtmClient = ArRTM.createInstance(APP_ID, parameters);
export const other = new RtmClient(APP_ID);
export const constants: string[] = [ArRTM.BUILD, ArRTM.VERSION, client.uid, String(client.token)];
client.setParameters({ logFilter: ArRTM.LOG_FILTER_OFF, ConfPriCloudAddr: { ServerAdd: "rtm.example" } });
other.setParameters({ logFilter: ArRTM.LOG_FILTER_ERROR });
other.setParameters({ logFilter: ArRTM.LOG_FILTER_INFO });

const onState: RtmEvents.RtmClientEvents["ConnectionStateChanged"] = (newState, reason) => {
  if (newState === RtmStatusCode.ConnectionState.ABORTED) constants.push(reason);
  if (reason === RtmStatusCode.ConnectionChangeReason.REMOTE_LOGIN) client.removeAllListeners();
};
client.on("ConnectionStateChanged", onState);
client.off("ConnectionStateChanged", onState);
client.once("TokenWillExpired", () => client.renewToken("token"));
client.once("TokenDidExpired", () => undefined);
client.on("PeersOnlineStatusChanged", (status: PeersOnlineStatusMap) => {
  if (status.bob === RtmStatusCode.PeerOnlineState.ONLINE) constants.push("bob");
});
client.on("MessageFromPeer", (message: RtmMessage, peerId: string, props: ReceivedMessageProperties) => {
  constants.push(String(message.text), peerId, String(props.isOfflineMessage), props.serverReceivedTs.toFixed());
});
client.on("RemoteInvitationReceived", (invitation: RemoteInvitation) => {
  invitation.on("RemoteInvitationAccepted", () => undefined);
  invitation.on("RemoteInvitationRefused", () => undefined);
  invitation.on("RemoteInvitationCanceled", (content) => constants.push(content));
  invitation.on("RemoteInvitationFailure", (reason) => {
    if (reason === RtmStatusCode.RemoteInvitationFailureReason.PEER_OFFLINE) constants.push(reason);
  });
  invitation.response = invitation.callerId + invitation.content;
  if (invitation.state === "INVITATION_RECEIVED") invitation.accept();
  else invitation.refuse();
});

export async function talk(): Promise<void> {
  const options: SendMessageOptions = { enableHistoricalMessaging: true, enableOfflineMessaging: undefined };
  const text: RtmTextMessage = { text: "hi", messageType: "TEXT" };
  await client.login({ uid: "ann", token: undefined });
  const result: PeerMessageSendResult = await client.sendMessageToPeer(text, "bob", options);
  const online: PeersOnlineStatusResult = await client.queryPeersOnlineStatus(["bob"]);
  const counts: ChannelMemberCountResult = await client.getChannelMemberCount(["math"]);
  await client.subscribePeersOnlineStatus(["bob"]);
  await client.unsubscribePeersOnlineStatus(["bob"]);
  constants.push(
    ...(await client.queryPeersBySubscriptionOption(RtmStatusCode.PeerSubscriptionOption.ONLINE_STATUS)),
    String(result.hasPeerReceived && online.bob && counts.math),
    RtmStatusCode.MessageType.TEXT
  );
  try {
    await client.logout();
  } catch (error) {
    const { code } = error as { code: number };
    if (code === RtmErrorCode.LogoutError.LOGOUT_ERR_USER_NOT_LOGGED_IN) constants.push("out");
  }
}

export async function attributes(): Promise<void> {
  const own: AttributesMap = { name: "Ann" };
  const options: ChannelAttributeOptions = { enableNotificationToChannelMembers: true };
  await client.setLocalUserAttributes(own);
  await client.addOrUpdateLocalUserAttributes(own);
  await client.deleteLocalUserAttributesByKeys(["name"]);
  await client.clearLocalUserAttributes();
  const read: AttributesMap[] = [await client.getUserAttributes("ann")];
  read.push(await client.getUserAttributesByKeys("ann", ["a"]));
  await client.setChannelAttributes("math", own, options);
  await client.addOrUpdateChannelAttributes("math", own);
  await client.deleteChannelAttributesByKeys("math", ["name"], options);
  await client.clearChannelAttributes("math", options);
  const all: ChannelAttributes = await client.getChannelAttributes("math");
  const one: ChannelAttributeProperties = (await client.getChannelAttributesByKeys("math", ["name"])).name;
  constants.push(all.name.value, one.lastUpdateUserId, one.lastUpdateTs.toFixed(), String(read.length));
}

export async function meet(): Promise<string[]> {
  const channel: RtmChannel = client.createChannel("math");
  channel.on("ChannelMessage", (message, memberId, props) => {
    constants.push(String(message.text), memberId, props.serverReceivedTs.toFixed());
  });
  channel.on("MemberJoined", (memberId) => constants.push(memberId));
  channel.on("MemberLeft", (memberId) => constants.push(memberId));
  channel.on("MemberCountUpdated", (count) => constants.push(count.toFixed()));
  channel.on("AttributesUpdated", (changed) => constants.push(changed.topic.value));
  await channel.join();
  await channel.sendMessage({ text: channel.channelId }, { enableHistoricalMessaging: true });
  const members = await channel.getMembers();
  await channel.leave();
  return members;
}

export function call(): void {
  const invitation: LocalInvitation = client.createLocalInvitation("bob");
  invitation.content = "come";
  invitation.on("LocalInvitationReceivedByPeer", () => undefined);
  invitation.on("LocalInvitationAccepted", (response) => constants.push(response));
  invitation.on("LocalInvitationRefused", (response) => constants.push(response));
  invitation.on("LocalInvitationCanceled", () => undefined);
  invitation.on("LocalInvitationFailure", (reason) => {
    if (reason === RtmStatusCode.LocalInvitationFailureReason.PEER_NO_RESPONSE) constants.push(reason);
  });
  invitation.send();
  if (invitation.state === "SENT_TO_REMOTE") invitation.cancel();
  constants.push(invitation.response, invitation.calleeId);
}

/** One number of each group, as anyRTC has it. */
export const numbers: number[] = [
  RtmErrorCode.BasicErrorCode.INVALID_OPERATION,
  RtmErrorCode.AttributeOperationError.ATTRIBUTE_OPERATION_ERR_SIZE_OVERFLOW,
  RtmErrorCode.ChannelMessageError.CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL,
  RtmErrorCode.CreateChannelError.CREATE_CHANNEL_ERR_INVALID_ARGUMENT,
  RtmErrorCode.CreateInstanceError.CREATE_INSTANCE_ERR_INVALID_ARGUMENT,
  RtmErrorCode.GetChannelMemberCountErrCode.GET_CHANNEL_MEMBER_COUNT_ERR_NOT_INITIALIZED,
  RtmErrorCode.GetMembersError.GET_MEMBERS_ERR_USER_NOT_LOGGED_IN,
  RtmErrorCode.InvitationApiCallError.INVITATION_API_CALL_ERR_ALREADY_SENT,
  RtmErrorCode.JoinChannelError.JOIN_CHANNEL_TIMEOUT,
  RtmErrorCode.LeaveChannelError.LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL,
  RtmErrorCode.LoginError.LOGIN_ERR_GATEWAY_CONNECT_FAILED,
  RtmErrorCode.PeerMessageError.PEER_MESSAGE_ERR_INVALID_USERID,
  RtmErrorCode.PeerSubscriptionStatusError.PEER_SUBSCRIPTION_STATUS_ERR_OVERFLOW,
  RtmErrorCode.QueryPeersBySubscriptionOptionError.QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR_TIMEOUT,
  RtmErrorCode.QueryPeersOnlineStatusError.QUERY_PEERS_ONLINE_STATUS_ERR_INVALID_ARGUMENT,
  RtmErrorCode.RenewTokenError.RENEW_TOKEN_ERR_ABORTED_BY_LOGOUT,
];

export async function media(blob: Blob, signal: AbortSignal): Promise<Blob> {
  const sizes: number[] = [];
  const onOperationProgress = ({ currentSize, totalSize }: MediaOperationProgress) => sizes.push(currentSize, totalSize);
  const handler: MediaTransferHandler = { cancelSignal: signal, onOperationProgress };
  const raw: RtmRawMessage = { rawMessage: new Uint8Array(1) };
  const file: RtmFileMessage = await client.createMediaMessageByUploading(blob, { messageType: "FILE" }, handler);
  const image: RtmImageMessage = await client.createMediaMessageByUploading(blob, { messageType: "IMAGE" }, handler);
  for (const message of [raw, file, image]) await client.sendMessageToPeer(message, "bob");
  return client.downloadMedia(image.thumbnail ? file.mediaId : image.mediaId, handler);
}
