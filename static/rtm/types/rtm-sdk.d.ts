/**
 * The types of `rtm-sdk.mjs` and of the global `AgoraRTM`: those of Agora RTM 1.4 and 1.5, for programs of either.
 * What is more than the vendor's is marked so. Compiles from TypeScript 3.8 on.
 */

import ArRTM from "./ar-rtm-sdk.js";

export namespace RtmStatusCode {
  enum ConnectionChangeReason {
    LOGIN = "LOGIN",
    LOGIN_SUCCESS = "LOGIN_SUCCESS",
    LOGIN_FAILURE = "LOGIN_FAILURE",
    LOGIN_TIMEOUT = "LOGIN_TIMEOUT",
    INTERRUPTED = "INTERRUPTED",
    LOGOUT = "LOGOUT",
    BANNED_BY_SERVER = "BANNED_BY_SERVER",
    REMOTE_LOGIN = "REMOTE_LOGIN",
    TOKEN_EXPIRED = "TOKEN_EXPIRED",
  }
  enum ConnectionState {
    DISCONNECTED = "DISCONNECTED",
    CONNECTING = "CONNECTING",
    CONNECTED = "CONNECTED",
    /** Lost for 4 s; the SDK tries for ever. */
    RECONNECTING = "RECONNECTING",
    /** Ended by the server; every call fails until `logout`. */
    ABORTED = "ABORTED",
  }
  enum LocalInvitationState {
    IDLE = "IDLE",
    SENT_TO_REMOTE = "SENT_TO_REMOTE",
    RECEIVED_BY_REMOTE = "RECEIVED_BY_REMOTE",
    ACCEPTED_BY_REMOTE = "ACCEPTED_BY_REMOTE",
    REFUSED_BY_REMOTE = "REFUSED_BY_REMOTE",
    CANCELED = "CANCELED",
    FAILURE = "FAILURE",
  }
  enum RemoteInvitationState {
    INVITATION_RECEIVED = "INVITATION_RECEIVED",
    ACCEPT_SENT_TO_LOCAL = "ACCEPT_SENT_TO_LOCAL",
    REFUSED = "REFUSED",
    ACCEPTED = "ACCEPTED",
    CANCELED = "CANCELED",
    FAILURE = "FAILURE",
  }
  enum LocalInvitationFailureReason {
    UNKNOWN = "UNKNOWN",
    /** The peer's client did not confirm within 30 s. */
    PEER_NO_RESPONSE = "PEER_NO_RESPONSE",
    /** Unanswered for 60 s. */
    INVITATION_EXPIRE = "INVITATION_EXPIRE",
    PEER_OFFLINE = "PEER_OFFLINE",
    NOT_LOGGEDIN = "NOT_LOGGEDIN",
  }
  enum RemoteInvitationFailureReason {
    UNKNOWN = "UNKNOWN",
    PEER_OFFLINE = "PEER_OFFLINE",
    ACCEPT_FAILURE = "ACCEPT_FAILURE",
    INVITATION_EXPIRE = "INVITATION_EXPIRE",
  }
  enum PeerOnlineState {
    ONLINE = "ONLINE",
    /** Silent for 6 s; `OFFLINE` after 30. */
    UNREACHABLE = "UNREACHABLE",
    OFFLINE = "OFFLINE",
  }
  enum PeerSubscriptionOption {
    ONLINE_STATUS = "ONLINE_STATUS",
  }
  enum MessageType {
    TEXT = "TEXT",
    RAW = "RAW",
    IMAGE = "IMAGE",
    FILE = "FILE",
  }
  /** Those that `setArea` takes, and below them those of `createInstance`, which takes no others. */
  enum AreaCode {
    GLOBAL = "GLOBAL",
    INDIA = "INDIA",
    JAPAN = "JAPAN",
    ASIA = "ASIA",
    EUROPE = "EUROPE",
    CHINA = "CHINA",
    NORTH_AMERICA = "NORTH_AMERICA",
    CN = "CN",
    NA = "NA",
    EU = "EU",
    AS = "AS",
    JP = "JP",
    IN = "IN",
    GLOB = "GLOB",
    OC = "OC",
    SA = "SA",
    AF = "AF",
    OVS = "OVS",
  }
  enum LegacyAreaCode {
    CN = "CN",
    NA = "NA",
    EU = "EU",
    AS = "AS",
    JP = "JP",
    IN = "IN",
    GLOB = "GLOB",
    OC = "OC",
    SA = "SA",
    AF = "AF",
    OVS = "OVS",
  }
}

/** What a rejected promise carries, and what a method throws that returns none. */
export interface RtmError extends Error {
  code: number;
  /** More: the server's own number, where it was the server that refused. */
  serverCode?: number;
  /** More: the error behind it; `name` and `data` as in the protocol, as `revision_conflict` with its `revision`. */
  cause?: unknown;
}

export interface ChannelAttributeProperties {
  value: string;
  lastUpdateUserId: string;
  /** In milliseconds, the server's clock. */
  lastUpdateTs: number;
}

export interface AttributesMap {
  [key: string]: string;
}

export interface ChannelAttributes {
  [key: string]: ChannelAttributeProperties;
}

export interface ChannelAttributeOptions {
  enableNotificationToChannelMembers?: boolean;
  /** More: change only if the attributes still have it, see `getChannelAttributes`. */
  revision?: number;
}

export type ListenerType<T> = [T] extends [(...args: infer U) => any] ? U : [T] extends [void] ? [] : [T];

declare class EventEmitter<Events = {}> {
  on<Name extends keyof Events>(event: Name, listener: (...args: ListenerType<Events[Name]>) => any): this;
  once<Name extends keyof Events>(event: Name, listener: (...args: ListenerType<Events[Name]>) => any): this;
  off<Name extends keyof Events>(event: Name, listener: (...args: any[]) => any): this;
  addListener<Name extends keyof Events>(event: Name, listener: (...args: ListenerType<Events[Name]>) => any): this;
  removeListener<Name extends keyof Events>(event: Name, listener: (...args: any[]) => any): this;
  removeAllListeners<Name extends keyof Events>(event?: Name): this;
  listeners<Name extends keyof Events>(event: Name): Function[];
  rawListeners<Name extends keyof Events>(event: Name): Function[];
  listenerCount<Name extends keyof Events>(event: Name): number;
  /** More: it changes nothing. */
  setMaxListeners(count?: number): this;
}

export interface RtmTextMessage {
  /** At most 32 KB in UTF-8. */
  text: string;
  messageType?: "TEXT";
  rawMessage?: never;
  description?: never;
}

export interface RtmRawMessage {
  /** With the description at most 32 KB. */
  rawMessage: Uint8Array;
  description?: string;
  messageType?: "RAW";
  text?: never;
}

export interface RtmFileMessage {
  /** All that is needed to send it: `createMessage<RtmFileMessage>({ messageType: "FILE", mediaId })`. */
  mediaId: string;
  fileName: string;
  description: string;
  thumbnail: Blob | undefined;
  size: number;
  messageType: "FILE";
  text?: never;
  rawMessage?: never;
}

export interface RtmImageMessage {
  mediaId: string;
  fileName: string;
  description: string;
  thumbnail: Blob | undefined;
  size: number;
  width: number;
  height: number;
  thumbnailWidth: number;
  thumbnailHeight: number;
  messageType: "IMAGE";
  text?: never;
  rawMessage?: never;
}

export type RtmMessage = RtmTextMessage | RtmRawMessage | RtmFileMessage | RtmImageMessage;

export interface PeerMessageSendResult {
  hasPeerReceived: boolean;
}

export interface SendMessageOptions {
  enableOfflineMessaging?: boolean;
  enableHistoricalMessaging?: boolean;
}

export interface ReceivedMessageProperties {
  /** In milliseconds. */
  serverReceivedTs: number;
  isOfflineMessage: boolean;
  isHistoricalMessage: boolean;
}

export interface PeersOnlineStatusMap {
  [peerId: string]: RtmStatusCode.PeerOnlineState;
}

export interface PeersOnlineStatusResult {
  [peerId: string]: boolean;
}

export interface ChannelMemberCountResult {
  [channelId: string]: number;
}

export interface MediaOperationProgress {
  /** In bytes. */
  currentSize: number;
  /** `Infinity` while a download's is not known. */
  totalSize: number;
}

export interface MediaTransferHandler {
  cancelSignal?: AbortSignal;
  onOperationProgress?: (event: MediaOperationProgress) => void;
}

/** More. */
export interface MessageHistoryQuery {
  /** Either this or `channelId`, of a channel that is joined. */
  peerId?: string;
  channelId?: string;
  /** Positions of messages, exclusive. */
  before?: number;
  after?: number;
  limit?: number;
  order?: "asc" | "desc";
}

/** More. */
export interface MessageHistory {
  messages: { position: number; senderId: string; message: RtmMessage; props: ReceivedMessageProperties }[];
  /** Whether there are further ones that way. */
  more: boolean;
}

export namespace RtmEvents {
  interface RtmChannelEvents {
    ChannelMessage: (message: RtmMessage, memberId: string, messageProps: ReceivedMessageProperties) => void;
    MemberJoined: (memberId: string) => void;
    MemberLeft: (memberId: string) => void;
    MemberCountUpdated: (memberCount: number) => void;
    /** More: `revision`. */
    AttributesUpdated: (attributes: ChannelAttributes, revision: number) => void;
  }
  interface LocalInvitationEvents {
    LocalInvitationReceivedByPeer: () => void;
    LocalInvitationAccepted: (response: string) => void;
    LocalInvitationRefused: (response: string) => void;
    LocalInvitationCanceled: () => void;
    LocalInvitationFailure: (reason: RtmStatusCode.LocalInvitationFailureReason) => void;
  }
  interface RemoteInvitationEvents {
    RemoteInvitationAccepted: () => void;
    RemoteInvitationRefused: () => void;
    RemoteInvitationCanceled: (content: string) => void;
    RemoteInvitationFailure: (reason: RtmStatusCode.RemoteInvitationFailureReason) => void;
  }
  interface RtmClientEvents {
    ConnectionStateChanged: (
      newState: RtmStatusCode.ConnectionState,
      reason: RtmStatusCode.ConnectionChangeReason
    ) => void;
    MessageFromPeer: (message: RtmMessage, peerId: string, messageProps: ReceivedMessageProperties) => void;
    RemoteInvitationReceived: (remoteInvitation: RemoteInvitation) => void;
    PeersOnlineStatusChanged: (status: PeersOnlineStatusMap) => void;
    /** 30 s before the token runs out. */
    TokenPrivilegeWillExpire: () => void;
    TokenExpired: () => void;
    FallbackProxyConnected: () => void;
  }
}

declare class LocalInvitation extends EventEmitter<RtmEvents.LocalInvitationEvents> {
  private constructor();
  readonly calleeId: string;
  readonly state: RtmStatusCode.LocalInvitationState;
  readonly response: string;
  /** At most 8 KB. */
  content: string;
  channelId: string;
  send(): void;
  cancel(): void;
}

declare class RemoteInvitation extends EventEmitter<RtmEvents.RemoteInvitationEvents> {
  private constructor();
  readonly callerId: string;
  readonly channelId: string;
  readonly content: string;
  readonly state: RtmStatusCode.RemoteInvitationState;
  /** At most 8 KB. */
  response: string;
  accept(): void;
  refuse(): void;
}

declare class RtmChannel extends EventEmitter<RtmEvents.RtmChannelEvents> {
  private constructor();
  readonly channelId: string;
  join(): Promise<void>;
  leave(): Promise<void>;
  sendMessage(message: RtmMessage, messageOptions?: SendMessageOptions): Promise<void>;
  /** The first 512 where there are more. */
  getMembers(): Promise<string[]>;
}

export type LogFilterType = { error: boolean; warn: boolean; info: boolean; track: boolean; debug: boolean };

export interface RtmConfig {
  /** To the server in batches, never what messages say. */
  enableLogUpload?: boolean;
  logFilter?: LogFilterType;
  enableCloudProxy?: boolean;
  /** More: where the server is, as `https://rtm.example`; else as `setServer` says, or where the script is from. */
  server?: string;
  /** More: opens the WebSocket, where there is none of the usual kind. */
  socketFactory?: (url: string) => any;
}

declare class RtmClient extends EventEmitter<RtmEvents.RtmClientEvents> {
  private constructor();
  /** More: of the last login, "" before the first. */
  readonly uid: string;
  readonly token: string | null;
  login(options: { uid: string; token?: string | null }): Promise<void>;
  logout(): Promise<void>;
  renewToken(token: string): Promise<void>;
  /** More: 1 to 64 visible characters that webhooks get with what this user does, until the logout. */
  setBusinessId(businessId: string): Promise<void>;
  sendMessageToPeer(message: RtmMessage, peerId: string, options?: SendMessageOptions): Promise<PeerMessageSendResult>;
  /** More: to at most 100 peers. `failure`: it is not known whether that peer has it. */
  sendMessageToPeers(
    message: RtmMessage,
    peerIds: string[],
    options?: SendMessageOptions
  ): Promise<{ [peerId: string]: PeerMessageSendResult & { failure?: string } }>;
  /** More: of a joined channel, or of what was sent between oneself and a peer with `enableHistoricalMessaging`. */
  getMessageHistory(query: MessageHistoryQuery): Promise<MessageHistory>;
  createChannel(channelId: string): RtmChannel;
  createLocalInvitation(calleeId: string): LocalInvitation;
  createMessage<T extends RtmMessage>(message: Partial<T>): T;
  createMediaMessageByUploading(
    payload: Blob,
    params?: { fileName?: string; description?: string; thumbnail?: Blob | undefined; messageType?: "FILE" },
    transHandler?: MediaTransferHandler
  ): Promise<RtmFileMessage>;
  createMediaMessageByUploading(
    payload: Blob,
    params?: {
      width?: number;
      height?: number;
      fileName?: string;
      description?: string;
      thumbnail?: Blob | undefined;
      thumbnailWidth?: number | undefined;
      thumbnailHeight?: number | undefined;
      messageType?: "IMAGE";
    },
    transHandler?: MediaTransferHandler
  ): Promise<RtmImageMessage>;
  downloadMedia(mediaId: string, transHandler?: MediaTransferHandler): Promise<Blob>;
  setLocalUserAttributes(attributes: AttributesMap): Promise<void>;
  addOrUpdateLocalUserAttributes(attributes: AttributesMap): Promise<void>;
  deleteLocalUserAttributesByKeys(attributeKeys: string[]): Promise<void>;
  clearLocalUserAttributes(): Promise<void>;
  getUserAttributes(userId: string): Promise<AttributesMap>;
  getUserAttributesByKeys(userId: string, attributeKeys: string[]): Promise<AttributesMap>;
  setChannelAttributes(
    channelId: string,
    attributes: AttributesMap,
    options?: ChannelAttributeOptions
  ): Promise<void>;
  addOrUpdateChannelAttributes(
    channelId: string,
    attributes: AttributesMap,
    options?: ChannelAttributeOptions
  ): Promise<void>;
  deleteChannelAttributesByKeys(
    channelId: string,
    attributeKeys: string[],
    options?: ChannelAttributeOptions
  ): Promise<void>;
  clearChannelAttributes(channelId: string, options?: ChannelAttributeOptions): Promise<void>;
  getChannelAttributes(channelId: string): Promise<ChannelAttributes>;
  /** More: with the revision that a change may ask for. */
  getChannelAttributes(
    channelId: string,
    options: { withRevision: true }
  ): Promise<{ attributes: ChannelAttributes; revision: number }>;
  getChannelAttributesByKeys(channelId: string, keys: string[]): Promise<ChannelAttributes>;
  getChannelMemberCount(channelIds: string[]): Promise<ChannelMemberCountResult>;
  queryPeersOnlineStatus(peerIds: string[]): Promise<PeersOnlineStatusResult>;
  subscribePeersOnlineStatus(peerIds: string[]): Promise<void>;
  unsubscribePeersOnlineStatus(peerIds: string[]): Promise<void>;
  queryPeersBySubscriptionOption(option: RtmStatusCode.PeerSubscriptionOption): Promise<string[]>;
  updateConfig(config: RtmConfig): void;
  setParameters(config: RtmConfig): void;
}

declare namespace AgoraRTM {
  const LOG_FILTER_OFF: LogFilterType;
  const LOG_FILTER_ERROR: LogFilterType;
  const LOG_FILTER_WARNING: LogFilterType;
  const LOG_FILTER_INFO: LogFilterType;
  const LOG_FILTER_DEBUG: LogFilterType;
  const VERSION: string;
  const BUILD: string;
  const END_CALL_PREFIX: string;
  /** The App ID has 32 letters and digits. */
  function createInstance(
    appId: string,
    config?: RtmConfig,
    areaCodes?: (RtmStatusCode.AreaCode | RtmStatusCode.LegacyAreaCode)[]
  ): RtmClient;
  /** For clients that are created from now on. */
  function setArea(areaConfig: {
    areaCodes: RtmStatusCode.AreaCode[];
    excludedArea?: RtmStatusCode.AreaCode;
  }): void;
  /** More: where the server is, for clients whose config does not say. */
  function setServer(url: string): void;
  function setParameter(key: string, value: unknown): void;
  function getParameter(key: string): any;
  const ConnectionChangeReason: typeof RtmStatusCode.ConnectionChangeReason;
  const ConnectionState: typeof RtmStatusCode.ConnectionState;
  const LocalInvitationFailureReason: typeof RtmStatusCode.LocalInvitationFailureReason;
  const LocalInvitationState: typeof RtmStatusCode.LocalInvitationState;
  const RemoteInvitationFailureReason: typeof RtmStatusCode.RemoteInvitationFailureReason;
  const RemoteInvitationState: typeof RtmStatusCode.RemoteInvitationState;
  const MessageType: typeof RtmStatusCode.MessageType;
  const PeerOnlineState: typeof RtmStatusCode.PeerOnlineState;
  const PeerSubscriptionOption: typeof RtmStatusCode.PeerSubscriptionOption;
  const AreaCode: typeof RtmStatusCode.AreaCode;
}

/** More: with what the SDK is built on, for programs that want streams and rooms themselves. */
declare const RostrumRTM: typeof AgoraRTM & { Session: new (options: any) => any; Room: new (...args: any[]) => any };

export default AgoraRTM;
export { AgoraRTM, ArRTM, RostrumRTM };
export type { EventEmitter, LocalInvitation, RemoteInvitation, RtmChannel, RtmClient };
