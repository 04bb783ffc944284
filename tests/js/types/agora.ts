/** A program that uses every member as the types of Agora RTM 1.4 and 1.5 declare it. */

import AgoraRTM from "../../../static/rtm/types/rtm-sdk";
import type {
  LocalInvitation,
  RemoteInvitation,
  RtmChannel,
  RtmClient,
  RtmEvents,
  RtmFileMessage,
  RtmImageMessage,
  RtmMessage,
  RtmRawMessage,
  RtmStatusCode,
  RtmTextMessage,
} from "../../../static/rtm/types/rtm-sdk";

const APP_ID = "0123456789abcdef0123456789abcdef";

export function readModule(): string[] {
  AgoraRTM.setArea({ areaCodes: [AgoraRTM.AreaCode.GLOBAL], excludedArea: AgoraRTM.AreaCode.CHINA });
  AgoraRTM.setParameter("key", 1);
  const parameter: unknown = AgoraRTM.getParameter("key");
  const filters = [
    AgoraRTM.LOG_FILTER_OFF,
    AgoraRTM.LOG_FILTER_ERROR,
    AgoraRTM.LOG_FILTER_WARNING,
    AgoraRTM.LOG_FILTER_INFO,
    AgoraRTM.LOG_FILTER_DEBUG,
  ];
  const levels: boolean[][] = filters.map(({ error, warn, info, track, debug }) => [error, warn, info, track, debug]);
  const legacy: string = AgoraRTM.AreaCode.CN;
  return [AgoraRTM.VERSION, AgoraRTM.BUILD, AgoraRTM.END_CALL_PREFIX, legacy, String(parameter), String(levels)];
}

/** What 1.x programs write: each enum by its name, exhaustively. */
export function nameStates(
  state: RtmStatusCode.ConnectionState,
  reason: RtmStatusCode.ConnectionChangeReason,
  local: RtmStatusCode.LocalInvitationState,
  remote: RtmStatusCode.RemoteInvitationState
): string {
  switch (state) {
    case AgoraRTM.ConnectionState.DISCONNECTED:
      return reason === AgoraRTM.ConnectionChangeReason.LOGOUT ? "out" : "failed";
    case AgoraRTM.ConnectionState.CONNECTING:
    case AgoraRTM.ConnectionState.CONNECTED:
      return reason === AgoraRTM.ConnectionChangeReason.LOGIN ? "coming" : "in";
    case AgoraRTM.ConnectionState.RECONNECTING:
      return reason === AgoraRTM.ConnectionChangeReason.TOKEN_EXPIRED ? "token" : "network";
    case AgoraRTM.ConnectionState.ABORTED:
      return reason === AgoraRTM.ConnectionChangeReason.BANNED_BY_SERVER ? "banned" : String(local) + String(remote);
  }
}

export function makeClient(): RtmClient {
  const client = AgoraRTM.createInstance(APP_ID, {
    enableLogUpload: false,
    logFilter: AgoraRTM.LOG_FILTER_OFF,
    enableCloudProxy: false,
  });
  AgoraRTM.createInstance(APP_ID, undefined, [AgoraRTM.AreaCode.GLOB]);
  client.updateConfig({ logFilter: AgoraRTM.LOG_FILTER_ERROR });
  client.setParameters({ enableLogUpload: true });
  return client;
}

export function listen(client: RtmClient): number {
  const onState: RtmEvents.RtmClientEvents["ConnectionStateChanged"] = (newState, reason) => {
    nameStates(newState, reason, AgoraRTM.LocalInvitationState.IDLE, AgoraRTM.RemoteInvitationState.ACCEPTED);
  };
  client
    .on("ConnectionStateChanged", onState)
    .once("TokenExpired", () => undefined)
    .on("TokenPrivilegeWillExpire", async () => client.renewToken("token"))
    .on("FallbackProxyConnected", () => undefined);
  client.on("MessageFromPeer", (message, peerId, { serverReceivedTs, isOfflineMessage, isHistoricalMessage }) => {
    const flags: boolean[] = [isOfflineMessage, isHistoricalMessage];
    new Date(serverReceivedTs).toISOString().concat(peerId, show(message), String(flags));
  });
  client.on("PeersOnlineStatusChanged", (states) => {
    for (const uid of Object.keys(states)) {
      if (states[uid] === AgoraRTM.PeerOnlineState.UNREACHABLE) client.off("ConnectionStateChanged", onState);
    }
  });
  client.on("RemoteInvitationReceived", (invitation) => answer(invitation));
  client.addListener("TokenExpired", () => undefined).removeListener("TokenExpired", () => undefined);
  const listeners: Function[] = client.listeners("TokenExpired").concat(client.rawListeners("TokenExpired"));
  client.removeAllListeners("TokenExpired").removeAllListeners();
  return client.listenerCount("TokenExpired") + listeners.length;
}

/** Narrows by `messageType`, and as programs of 1.5 do by `text`, where the two media types were never declared. */
export function show(message: RtmMessage): string {
  if (message.text !== undefined) return message.text;
  if (message.rawMessage !== undefined) return String(message.rawMessage.byteLength) + String(message.description);
  return message.messageType === "FILE" ? showFile(message) : showImage(message);
}

const showFile = ({ mediaId, fileName, description, thumbnail, size }: RtmFileMessage): string =>
  mediaId + fileName + description + String(thumbnail && thumbnail.size) + String(size);

const showImage = (image: RtmImageMessage): string =>
  [image.mediaId, image.fileName, image.description, image.width, image.height, image.size].join() +
  [image.thumbnail && image.thumbnail.type, image.thumbnailWidth, image.thumbnailHeight].join();

export async function talk(client: RtmClient): Promise<void> {
  await client.login({ uid: "ann" });
  await client.login({ uid: "ann", token: "007" });
  const text = client.createMessage<RtmTextMessage>({ text: "hi", messageType: "TEXT" });
  const raw: RtmRawMessage = { rawMessage: new Uint8Array(2), description: "a file", messageType: "RAW" };
  const result = await client.sendMessageToPeer(text, "bob");
  const received: boolean = result.hasPeerReceived;
  await client.sendMessageToPeer(raw, "bob", { enableOfflineMessaging: received, enableHistoricalMessaging: true });
  const states: { [uid: string]: boolean } = await client.queryPeersOnlineStatus(["bob"]);
  await client.subscribePeersOnlineStatus(Object.keys(states));
  await client.unsubscribePeersOnlineStatus(["bob"]);
  const uids: string[] = await client.queryPeersBySubscriptionOption(AgoraRTM.PeerSubscriptionOption.ONLINE_STATUS);
  const counts: { [id: string]: number } = await client.getChannelMemberCount(uids);
  const types: string[] = [AgoraRTM.MessageType.TEXT, AgoraRTM.MessageType.RAW, String(counts.math)];
  await client.logout().catch((error: { code: number; message: string }) => types.push(error.message));
}

export async function attributes(client: RtmClient): Promise<string> {
  await client.setLocalUserAttributes({ name: "Ann" });
  await client.addOrUpdateLocalUserAttributes({ name: "Ann" });
  await client.deleteLocalUserAttributesByKeys(["name"]);
  await client.clearLocalUserAttributes();
  const own: { [key: string]: string } = await client.getUserAttributes("ann");
  const some: { [key: string]: string } = await client.getUserAttributesByKeys("ann", ["name"]);
  const options = { enableNotificationToChannelMembers: true };
  await client.setChannelAttributes("math", { topic: "x" }, options);
  await client.addOrUpdateChannelAttributes("math", { topic: "x" });
  await client.deleteChannelAttributesByKeys("math", ["topic"], options);
  await client.clearChannelAttributes("math", options);
  const all = await client.getChannelAttributes("math");
  const { value, lastUpdateTs, lastUpdateUserId } = (await client.getChannelAttributesByKeys("math", ["topic"])).topic;
  return own.name + some.name + value + lastUpdateUserId + lastUpdateTs.toFixed() + all.topic.value;
}

export async function media(client: RtmClient, blob: Blob): Promise<Blob> {
  const stop = new AbortController();
  const handler = {
    cancelSignal: stop.signal,
    onOperationProgress: ({ currentSize, totalSize }: { currentSize: number; totalSize: number }) => {
      if (currentSize > totalSize) stop.abort();
    },
  };
  const file: RtmFileMessage = await client.createMediaMessageByUploading(
    blob,
    { messageType: "FILE", fileName: "a.txt", description: "d", thumbnail: undefined },
    handler
  );
  const size = { width: 1, height: 1, thumbnail: blob, thumbnailWidth: 1, thumbnailHeight: 1 };
  const image: RtmImageMessage = await client.createMediaMessageByUploading(
    blob,
    { messageType: "IMAGE", fileName: "a.png", description: "d", ...size },
    handler
  );
  await client.sendMessageToPeer(image, "bob");
  await client.sendMessageToPeers(file, ["bob", "carol"]);
  await client.createChannel("math").sendMessage(image);
  const known: RtmFileMessage = client.createMessage<RtmFileMessage>({ messageType: "FILE", mediaId: file.mediaId });
  const other = client.createMessage({ messageType: "IMAGE", mediaId: image.mediaId });
  await client.sendMessageToPeer(known, "bob");
  await client.sendMessageToPeer(other, "bob");
  return client.downloadMedia(file.mediaId, handler);
}

export async function meet(client: RtmClient): Promise<string[]> {
  const channel: RtmChannel = client.createChannel("math");
  channel.on("ChannelMessage", (message, memberId, { serverReceivedTs }) => {
    show(message).concat(memberId, serverReceivedTs.toFixed());
  });
  channel.on("MemberJoined", (memberId) => memberId.length);
  channel.on("MemberLeft", (memberId) => memberId.length);
  channel.on("MemberCountUpdated", (count) => count.toFixed());
  channel.on("AttributesUpdated", (changed) => changed.topic.value);
  await channel.join();
  await channel.sendMessage({ text: channel.channelId });
  await channel.sendMessage({ text: "kept" }, { enableHistoricalMessaging: true });
  const members: string[] = await channel.getMembers();
  await channel.leave();
  return members;
}

export function call(client: RtmClient): void {
  const invitation: LocalInvitation = client.createLocalInvitation("bob");
  invitation.content = "come";
  invitation.channelId = "math";
  invitation.on("LocalInvitationReceivedByPeer", () => undefined);
  invitation.on("LocalInvitationAccepted", (response) => response.length);
  invitation.on("LocalInvitationRefused", (response) => response.length);
  invitation.on("LocalInvitationCanceled", () => undefined);
  invitation.on("LocalInvitationFailure", (reason) => {
    if (reason === AgoraRTM.LocalInvitationFailureReason.NOT_LOGGEDIN) invitation.removeAllListeners();
  });
  invitation.send();
  if (invitation.state === AgoraRTM.LocalInvitationState.SENT_TO_REMOTE) invitation.cancel();
  invitation.response.concat(invitation.calleeId);
}

export function answer(invitation: RemoteInvitation): void {
  invitation.on("RemoteInvitationAccepted", () => undefined);
  invitation.on("RemoteInvitationRefused", () => undefined);
  invitation.on("RemoteInvitationCanceled", (content) => content.length);
  invitation.on("RemoteInvitationFailure", (reason) => {
    if (reason === AgoraRTM.RemoteInvitationFailureReason.ACCEPT_FAILURE) invitation.removeAllListeners();
  });
  invitation.response = invitation.callerId + invitation.channelId + invitation.content;
  if (invitation.state === AgoraRTM.RemoteInvitationState.INVITATION_RECEIVED) invitation.accept();
  else invitation.refuse();
}

/** What is more than the vendor's. */
export async function more(client: RtmClient, socketFactory: (url: string) => WebSocket): Promise<void> {
  AgoraRTM.setServer("https://rtm.example");
  AgoraRTM.createInstance(APP_ID, { server: "https://rtm.example", socketFactory });
  await client.login({ uid: "ann", token: null });
  await client.setBusinessId("evening-class");
  const results = await client.sendMessageToPeers({ text: "hi" }, ["bob"], { enableOfflineMessaging: true });
  const failure: string | undefined = results.bob.hasPeerReceived ? "" : results.bob.failure;
  const page = await client.getMessageHistory({ peerId: "bob", before: 9, after: 1, limit: 5, order: "asc" });
  const { position, senderId, message, props } = page.messages[0];
  await client.getMessageHistory({ channelId: String(failure) + show(message) + senderId, before: position });
  const { attributes: now, revision } = await client.getChannelAttributes("math", { withRevision: true });
  await client.setChannelAttributes("math", { topic: now.topic.value }, { revision });
  if (page.more && props.isHistoricalMessage) await client.logout();
}
