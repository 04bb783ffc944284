/**
 * The types of `ar-rtm-sdk.mjs` and of the global `ArRTM`: those of anyRTC RTM 1.0. What Agora's have besides is here
 * too. Compiles from TypeScript 3.8 on.
 */

import AgoraRTM, {
  AttributesMap,
  ChannelAttributeOptions,
  ChannelAttributeProperties,
  ChannelAttributes,
  ChannelMemberCountResult,
  EventEmitter,
  MediaOperationProgress,
  MediaTransferHandler,
  PeerMessageSendResult,
  PeersOnlineStatusMap,
  PeersOnlineStatusResult,
  ReceivedMessageProperties,
  RtmClient as AgoraClient,
  RtmFileMessage,
  RtmImageMessage,
  RtmMessage,
  RtmRawMessage,
  RtmStatusCode,
  RtmTextMessage,
  SendMessageOptions,
} from "./rtm-sdk.js";

export namespace RtmErrorCode {
  enum BasicErrorCode {
    INVALID_OPERATION = 1,
  }
  enum CreateInstanceError {
    CREATE_INSTANCE_ERR_INVALID_ARGUMENT = 1,
  }
  enum CreateChannelError {
    CREATE_CHANNEL_ERR_INVALID_ARGUMENT = 1,
  }
  enum LoginError {
    LOGIN_ERR_UNKNOWN = 1,
    LOGIN_ERR_REJECTED = 2,
    LOGIN_ERR_INVALID_ARGUMENT = 2,
    LOGIN_ERR_INVALID_APP_ID = 3,
    LOGIN_ERR_INVALID_TOKEN = 4,
    LOGIN_ERR_TOKEN_EXPIRED = 5,
    LOGIN_ERR_NOT_AUTHORIZED = 6,
    LOGIN_ERR_ALREADY_LOGIN = 7,
    LOGIN_ERR_TIMEOUT = 8,
    LOGIN_ERR_TOO_OFTEN = 9,
    LOGIN_ERR_ABORTED_BY_LOGOUT = 10,
    LOGIN_ERR_GATEWAY_CONNECT_FAILED = 11,
  }
  enum LogoutError {
    LOGOUT_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum RenewTokenError {
    RENEW_TOKEN_ERR_FAILURE = 1,
    RENEW_TOKEN_ERR_INVALID_ARGUMENT = 2,
    RENEW_TOKEN_ERR_REJECTED = 3,
    RENEW_TOKEN_ERR_TOO_OFTEN = 4,
    RENEW_TOKEN_ERR_TOKEN_EXPIRED = 5,
    RENEW_TOKEN_ERR_INVALID_TOKEN = 6,
    RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN = 102,
    RENEW_TOKEN_ERR_ABORTED_BY_LOGOUT = 201,
  }
  enum PeerMessageError {
    PEER_MESSAGE_ERR_FAILURE = 1,
    PEER_MESSAGE_ERR_TIMEOUT = 2,
    PEER_MESSAGE_ERR_TOO_OFTEN = 5,
    PEER_MESSAGE_ERR_INVALID_USERID = 6,
    PEER_MESSAGE_ERR_INVALID_MESSAGE = 7,
    PEER_MESSAGE_ERR_INCOMPATIBLE_MESSAGE = 8,
    PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum ChannelMessageError {
    CHANNEL_MESSAGE_ERR_FAILURE = 1,
    CHANNEL_MESSAGE_ERR_TIMEOUT = 2,
    CHANNEL_MESSAGE_ERR_TOO_OFTEN = 3,
    CHANNEL_MESSAGE_ERR_INVALID_MESSAGE = 4,
    CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL = 5,
    CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum JoinChannelError {
    JOIN_CHANNEL_ERR_FAILURE = 1,
    JOIN_CHANNEL_ERR_REJECTED = 2,
    JOIN_CHANNEL_ERR_INVALID_ARGUMENT = 3,
    JOIN_CHANNEL_TIMEOUT = 4,
    JOIN_CHANNEL_ERR_EXCEED_LIMIT = 5,
    JOIN_CHANNEL_ERR_ALREADY_JOINED = 6,
    JOIN_CHANNEL_ERR_TOO_OFTEN = 7,
    JOIN_CHANNEL_ERR_JOIN_SAME_CHANNEL_TOO_OFTEN = 8,
    JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN = 102,
    JOIN_CHANNEL_ERR_ABORTED_BY_LEAVE = 210,
    JOIN_CHANNEL_ERR_ALREADY_JOINED_CHANNEL_OF_SAME_ID = 211,
  }
  enum LeaveChannelError {
    LEAVE_CHANNEL_ERR_FAILURE = 1,
    LEAVE_CHANNEL_ERR_REJECTED = 2,
    LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL = 3,
    LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum GetMembersError {
    GET_MEMBERS_ERR_FAILURE = 1,
    GET_MEMBERS_ERR_REJECTED = 2,
    GET_MEMBERS_ERR_TIMEOUT = 3,
    GET_MEMBERS_ERR_TOO_OFTEN = 4,
    GET_MEMBERS_ERR_NOT_IN_CHANNEL = 5,
    GET_MEMBERS_ERR_USER_NOT_LOGGED_IN = 6,
  }
  enum GetChannelMemberCountErrCode {
    GET_CHANNEL_MEMBER_COUNT_ERR_FAILURE = 1,
    GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT = 2,
    GET_CHANNEL_MEMBER_COUNT_ERR_TOO_OFTEN = 3,
    GET_CHANNEL_MEMBER_COUNT_ERR_TIMEOUT = 4,
    GET_CHANNEL_MEMBER_COUNT_ERR_EXCEED_LIMIT = 5,
    GET_CHANNEL_MEMBER_COUNT_ERR_NOT_INITIALIZED = 101,
    GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum AttributeOperationError {
    ATTRIBUTE_OPERATION_ERR_FAILURE = 2,
    ATTRIBUTE_OPERATION_ERR_INVALID_ARGUMENT = 3,
    ATTRIBUTE_OPERATION_ERR_SIZE_OVERFLOW = 4,
    ATTRIBUTE_OPERATION_ERR_TOO_OFTEN = 5,
    ATTRIBUTE_OPERATION_ERR_USER_NOT_FOUND = 6,
    ATTRIBUTE_OPERATION_ERR_TIMEOUT = 7,
    ATTRIBUTE_OPERATION_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum QueryPeersOnlineStatusError {
    QUERY_PEERS_ONLINE_STATUS_ERR_INVALID_ARGUMENT = 0,
    QUERY_PEERS_ONLINE_STATUS_ERR_REJECTED = 1,
    QUERY_PEERS_ONLINE_STATUS_ERR_TIMEOUT = 2,
    QUERY_PEERS_ONLINE_STATUS_ERR_TOO_OFTEN = 3,
    QUERY_PEERS_ONLINE_STATUS_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum PeerSubscriptionStatusError {
    PEER_SUBSCRIPTION_STATUS_ERR_FAILURE = 1,
    PEER_SUBSCRIPTION_STATUS_ERR_INVALID_ARGUMENT = 2,
    PEER_SUBSCRIPTION_STATUS_ERR_REJECTED = 3,
    PEER_SUBSCRIPTION_STATUS_ERR_TIMEOUT = 4,
    PEER_SUBSCRIPTION_STATUS_ERR_TOO_OFTEN = 5,
    PEER_SUBSCRIPTION_STATUS_ERR_OVERFLOW = 6,
    PEER_SUBSCRIPTION_STATUS_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum QueryPeersBySubscriptionOptionError {
    QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR_FAILURE = 1,
    QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR_TIMEOUT = 2,
    QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR_TOO_OFTEN = 3,
    QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum InvitationApiCallError {
    INVITATION_API_CALL_ERR_INVALID_ARGUMENT = 1,
    INVITATION_API_CALL_ERR_NOT_STARTED = 2,
    INVITATION_API_CALL_ERR_ALREADY_END = 3,
    INVITATION_API_CALL_ERR_ALREADY_ACCEPT = 4,
    INVITATION_API_CALL_ERR_ALREADY_SENT = 5,
  }
  enum UploadMediaError {
    UPLOAD_MEDIA_ERR_FAILURE = 1,
    UPLOAD_MEDIA_ERR_INVALID_ARGUMENT = 2,
    UPLOAD_MEDIA_ERR_TIMEOUT = 3,
    UPLOAD_MEDIA_ERR_SIZE_OVERFLOW = 4,
    UPLOAD_MEDIA_ERR_CONCURRENCY_LIMIT_EXCEEDED = 5,
    UPLOAD_MEDIA_ERR_INTERRUPTED = 6,
    UPLOAD_MEDIA_ERR_NOT_LOGGED_IN = 102,
  }
  enum DownloadMediaError {
    DOWNLOAD_MEDIA_ERR_FAILURE = 1,
    DOWNLOAD_MEDIA_ERR_INVALID_ARGUMENT = 2,
    DOWNLOAD_MEDIA_ERR_TIMEOUT = 3,
    DOWNLOAD_MEDIA_ERR_NOT_EXIST = 4,
    DOWNLOAD_MEDIA_ERR_CONCURRENCY_LIMIT_EXCEEDED = 5,
    DOWNLOAD_MEDIA_ERR_INTERRUPTED = 6,
    DOWNLOAD_MEDIA_ERR_NOT_LOGGED_IN = 102,
  }
  enum MessageHistoryError {
    MESSAGE_HISTORY_ERR_FAILURE = 1,
    MESSAGE_HISTORY_ERR_INVALID_ARGUMENT = 2,
    MESSAGE_HISTORY_ERR_TIMEOUT = 3,
    MESSAGE_HISTORY_ERR_TOO_OFTEN = 4,
    MESSAGE_HISTORY_ERR_NOT_IN_CHANNEL = 5,
    MESSAGE_HISTORY_ERR_USER_NOT_LOGGED_IN = 102,
  }
  enum BusinessIdError {
    BUSINESS_ID_ERR_FAILURE = 1,
    BUSINESS_ID_ERR_INVALID_ARGUMENT = 2,
    BUSINESS_ID_ERR_TIMEOUT = 3,
    BUSINESS_ID_ERR_TOO_OFTEN = 4,
    BUSINESS_ID_ERR_USER_NOT_LOGGED_IN = 102,
  }
}

export namespace RtmEvents {
  interface LocalInvitationEvents {
    LocalInvitationReceivedByPeer(): void;
    LocalInvitationAccepted(response: string): void;
    LocalInvitationRefused(response: string): void;
    LocalInvitationCanceled(): void;
    LocalInvitationFailure(reason: RtmStatusCode.LocalInvitationFailureReason): void;
  }
  interface RemoteInvitationEvents {
    RemoteInvitationAccepted(): void;
    RemoteInvitationRefused(): void;
    RemoteInvitationCanceled(content: string): void;
    RemoteInvitationFailure(reason: RtmStatusCode.RemoteInvitationFailureReason): void;
  }
  interface RtmChannelEvents {
    ChannelMessage(message: RtmMessage, memberId: string, messageProps: ReceivedMessageProperties): void;
    MemberJoined(memberId: string): void;
    MemberLeft(memberId: string): void;
    MemberCountUpdated(memberCount: number): void;
    AttributesUpdated(attributes: ChannelAttributes, revision: number): void;
  }
  interface RtmClientEvents {
    ConnectionStateChanged(
      newState: RtmStatusCode.ConnectionState,
      reason: RtmStatusCode.ConnectionChangeReason
    ): void;
    MessageFromPeer(message: RtmMessage, peerId: string, messageProps: ReceivedMessageProperties): void;
    RemoteInvitationReceived(remoteInvitation: RemoteInvitation): void;
    PeersOnlineStatusChanged(status: PeersOnlineStatusMap): void;
    /** 30 s before the token runs out. Also told under Agora's name, as is the next one. */
    TokenWillExpired(): void;
    TokenDidExpired(): void;
    TokenPrivilegeWillExpire(): void;
    TokenExpired(): void;
  }
}

export class LocalInvitation extends EventEmitter<RtmEvents.LocalInvitationEvents> {
  private constructor();
  readonly calleeId: string;
  readonly state: keyof typeof RtmStatusCode.LocalInvitationState;
  readonly response: string;
  content: string;
  channelId: string;
  send(): void;
  cancel(): void;
}

export class RemoteInvitation extends EventEmitter<RtmEvents.RemoteInvitationEvents> {
  private constructor();
  readonly callerId: string;
  readonly channelId: string;
  readonly content: string;
  readonly state: keyof typeof RtmStatusCode.RemoteInvitationState;
  response: string;
  accept(): void;
  refuse(): void;
}

export class RtmChannel extends EventEmitter<RtmEvents.RtmChannelEvents> {
  private constructor();
  readonly channelId: string;
  join(): Promise<void>;
  leave(): Promise<void>;
  sendMessage(message: RtmMessage, messageOptions?: SendMessageOptions): Promise<void>;
  getMembers(): Promise<string[]>;
}

declare enum LogLevel {
  DEBUG = 0,
  INFO = 1,
  WARNING = 2,
  ERROR = 3,
  NONE = 4,
}

export interface RtmParameters {
  logFilter?: LogLevel;
  enableLogUpload?: boolean;
  server?: string;
  socketFactory?: (url: string) => any;
  /** Taken and not used: the server is where `server`, `setServer` or the script's address say. */
  confPriCloudAddr?: { ServerAdd: string; Port?: number; Wss?: boolean };
  ConfPriCloudAddr?: { ServerAdd: string; Port?: number; Wss?: boolean };
}

/** The methods are Agora's, except for those below. */
type SharedMethods = Pick<
  AgoraClient,
  Exclude<
    keyof AgoraClient,
    keyof EventEmitter | "createChannel" | "createLocalInvitation" | "updateConfig" | "setParameters"
  >
>;

export interface RtmClient extends SharedMethods {}
export class RtmClient extends EventEmitter<RtmEvents.RtmClientEvents> {
  constructor(appId: string, params?: RtmParameters);
  createChannel(channelId: string): RtmChannel;
  createLocalInvitation(calleeId: string): LocalInvitation;
  updateConfig(params: RtmParameters): void;
  setParameters(params: RtmParameters): void;
}

declare namespace ArRTM {
  const LOG_FILTER_DEBUG: LogLevel;
  const LOG_FILTER_INFO: LogLevel;
  const LOG_FILTER_WARNING: LogLevel;
  const LOG_FILTER_ERROR: LogLevel;
  const LOG_FILTER_OFF: LogLevel;
  const VERSION: string;
  const BUILD: string;
  const END_CALL_PREFIX: string;
  function createInstance(appId: string, params?: RtmParameters, areaCodes?: RtmStatusCode.AreaCode[]): RtmClient;
  const setArea: typeof AgoraRTM.setArea;
  const setServer: typeof AgoraRTM.setServer;
  const setParameter: typeof AgoraRTM.setParameter;
  const getParameter: typeof AgoraRTM.getParameter;
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

export default ArRTM;
export { ArRTM, RtmStatusCode };
export type {
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
  RtmFileMessage,
  RtmImageMessage,
  RtmMessage,
  RtmRawMessage,
  RtmTextMessage,
  SendMessageOptions,
};
