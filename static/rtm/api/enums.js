/** The vendor's enums (docs/contract.md 11): each value equals its name. */

/** @param {string} names @returns {Readonly<Record<string, string>>} */
const enumOf = (names) => Object.freeze(Object.fromEntries(names.split(" ").map((name) => [name, name])));

/** Those of `setArea`. */
export const NEW_AREA_CODES = enumOf("GLOBAL INDIA JAPAN ASIA EUROPE CHINA NORTH_AMERICA");
/** Those of `createInstance`: first the same areas in the same order. */
export const LegacyAreaCode = enumOf("GLOB IN JP AS EU CN NA OC SA AF OVS");

/** @param {string} code @returns {string} the new one of an old one that has any */
export const renamed = (code) =>
  Object.keys(NEW_AREA_CODES)[Object.keys(LegacyAreaCode).indexOf(code)] ?? code;

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
