/** The vendor's enums (docs/contract.md 11): each value equals its name. */

/** @param {string} names @returns {Readonly<Record<string, string>>} */
const enumOf = (names) => Object.freeze(Object.fromEntries(names.split(" ").map((name) => [name, name])));

/** Those of `createInstance`. */
export const LegacyAreaCode = enumOf("CN NA EU AS JP IN GLOB OC SA AF OVS");
/** Those of `setArea`. */
export const NEW_AREA_CODES = enumOf("GLOBAL INDIA JAPAN ASIA EUROPE CHINA NORTH_AMERICA");

export const ENUMS = {
  ConnectionState: enumOf("DISCONNECTED CONNECTING CONNECTED RECONNECTING ABORTED"),
  ConnectionChangeReason: enumOf(
    "LOGIN LOGIN_SUCCESS LOGIN_FAILURE LOGIN_TIMEOUT INTERRUPTED LOGOUT BANNED_BY_SERVER REMOTE_LOGIN TOKEN_EXPIRED",
  ),
  LocalInvitationState: enumOf(
    "IDLE SENT_TO_REMOTE RECEIVED_BY_REMOTE ACCEPTED_BY_REMOTE REFUSED_BY_REMOTE CANCELED FAILURE",
  ),
  RemoteInvitationState: enumOf("INVITATION_RECEIVED ACCEPT_SENT_TO_LOCAL REFUSED ACCEPTED CANCELED FAILURE"),
  LocalInvitationFailureReason: enumOf("UNKNOWN PEER_NO_RESPONSE INVITATION_EXPIRE PEER_OFFLINE NOT_LOGGEDIN"),
  RemoteInvitationFailureReason: enumOf("UNKNOWN PEER_OFFLINE ACCEPT_FAILURE INVITATION_EXPIRE"),
  PeerOnlineState: enumOf("ONLINE UNREACHABLE OFFLINE"),
  PeerSubscriptionOption: enumOf("ONLINE_STATUS"),
  MessageType: enumOf("TEXT RAW IMAGE FILE"),
  AreaCode: Object.freeze({ ...NEW_AREA_CODES, ...LegacyAreaCode }),
};
