/** The two vendors' error numbers (docs/contract.md 12), and in what else they differ (13). */

/** @typedef {Record<string, Record<string, number>>} ErrorTable by group and name */
/** @typedef {{error: boolean, warn: boolean, info: boolean, track: boolean, debug: boolean}} LogFilter */

/**
 * @typedef {object} Flavour
 * @property {ErrorTable} errors
 * @property {string} endCallPrefix
 * @property {Record<string, LogFilter | number>} logFilters
 * @property {boolean} isAnyRtc `logout` before login resolves, and a logout takes the application's listeners along
 * @property {Record<string, string>} otherNames of events, told under both
 */

/**
 * @param {string} names of numbers that follow on each other
 * @param {number} [first]
 * @returns {Record<string, number>}
 */
const numbered = (names, first = 1) => Object.fromEntries(names.split(" ").map((name, at) => [name, first + at]));

const LOGGED_OUT = { USER_NOT_LOGGED_IN: 102 };
/** @param {string} own the name of the media error 4 */
const media = (own) => ({
  ...numbered(`FAILURE INVALID_ARGUMENT TIMEOUT ${own} CONCURRENCY_LIMIT_EXCEEDED INTERRUPTED`),
  NOT_LOGGED_IN: 102,
});
const LOGIN = "INVALID_APP_ID INVALID_TOKEN TOKEN_EXPIRED NOT_AUTHORIZED ALREADY_LOGIN TIMEOUT TOO_OFTEN";
const QUERY = "INVALID_ARGUMENT REJECTED TIMEOUT TOO_OFTEN";

/** @type {ErrorTable} */
const AGORA_ERRORS = {
  CREATE_INSTANCE_ERR: { INVALID_ARGUMENT: 1 },
  CREATE_CHANNEL_ERR: { INVALID_ARGUMENT: 1 },
  LOGIN_ERR: { ...numbered(`UNKNOWN REJECTED INVALID_ARGUMENT ${LOGIN}`), ABORTED_BY_LOGOUT: 201 },
  LOGOUT_ERR: LOGGED_OUT,
  RENEW_TOKEN_ERR: {
    ...numbered("FAILURE INVALID_ARGUMENT REJECTED TOO_OFTEN TOKEN_EXPIRED INVALID_TOKEN"),
    ...LOGGED_OUT,
    ABORTED_BY_LOGOUT: 201,
  },
  PEER_MESSAGE_ERR: {
    ...numbered("FAILURE TIMEOUT"),
    ...numbered("TOO_OFTEN INVALID_USERID INVALID_MESSAGE INCOMPATIBLE_MESSAGE", 5),
    ...LOGGED_OUT,
  },
  CHANNEL_MESSAGE_ERR: { ...numbered("FAILURE TIMEOUT TOO_OFTEN INVALID_MESSAGE NOT_IN_CHANNEL"), ...LOGGED_OUT },
  JOIN_CHANNEL_ERR: {
    ...numbered("FAILURE REJECTED INVALID_ARGUMENT TIMEOUT EXCEED_LIMIT ALREADY_JOINED TOO_OFTEN"),
    JOIN_SAME_CHANNEL_TOO_OFTEN: 8,
    ...LOGGED_OUT,
    ...numbered("ABORTED_BY_LEAVE ALREADY_JOINED_CHANNEL_OF_SAME_ID", 201),
  },
  LEAVE_CHANNEL_ERR: { ...numbered("FAILURE REJECTED NOT_IN_CHANNEL"), ...LOGGED_OUT },
  GET_MEMBERS_ERR: { ...numbered("FAILURE REJECTED TIMEOUT TOO_OFTEN NOT_IN_CHANNEL"), ...LOGGED_OUT },
  GET_CHANNEL_MEMBER_COUNT_ERR: {
    ...numbered("FAILURE INVALID_ARGUMENT TOO_OFTEN TIMEOUT EXCEED_LIMIT"),
    NOT_INITIALIZED: 101,
    ...LOGGED_OUT,
  },
  ATTRIBUTE_OPERATION_ERR: {
    ...numbered("FAILURE INVALID_ARGUMENT SIZE_OVERFLOW TOO_OFTEN USER_NOT_FOUND TIMEOUT", 2),
    ...LOGGED_OUT,
  },
  QUERY_PEERS_ONLINE_STATUS_ERR: { ...numbered(QUERY, 2), ...LOGGED_OUT },
  PEER_SUBSCRIPTION_STATUS_ERR: { FAILURE: 1, ...numbered(`${QUERY} OVERFLOW`, 2), ...LOGGED_OUT },
  QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR: { ...numbered("FAILURE TIMEOUT TOO_OFTEN"), ...LOGGED_OUT },
  INVITATION_API_CALL_ERR: numbered("INVALID_ARGUMENT NOT_STARTED ALREADY_END ALREADY_ACCEPT ALREADY_SENT"),
  UPLOAD_MEDIA_ERR: media("SIZE_OVERFLOW"),
  DOWNLOAD_MEDIA_ERR: media("NOT_EXIST"),
  // What the vendors do not have: getMessageHistory and setBusinessId.
  MESSAGE_HISTORY_ERR: { ...numbered("FAILURE INVALID_ARGUMENT TIMEOUT TOO_OFTEN NOT_IN_CHANNEL"), ...LOGGED_OUT },
  BUSINESS_ID_ERR: { ...numbered("FAILURE INVALID_ARGUMENT TIMEOUT TOO_OFTEN"), ...LOGGED_OUT },
};

/** @type {ErrorTable} */
const ANYRTC_ERRORS = {
  ...AGORA_ERRORS,
  LOGIN_ERR: {
    REJECTED: 2,
    ...numbered(`UNKNOWN INVALID_ARGUMENT ${LOGIN} ABORTED_BY_LOGOUT GATEWAY_CONNECT_FAILED`),
  },
  JOIN_CHANNEL_ERR: {
    ...AGORA_ERRORS.JOIN_CHANNEL_ERR,
    ...numbered("ABORTED_BY_LEAVE ALREADY_JOINED_CHANNEL_OF_SAME_ID", 210),
  },
  GET_MEMBERS_ERR: { ...AGORA_ERRORS.GET_MEMBERS_ERR, USER_NOT_LOGGED_IN: 6 },
  QUERY_PEERS_ONLINE_STATUS_ERR: { ...numbered(QUERY, 0), ...LOGGED_OUT },
};

/**
 * The levels that are written, as the numbers of anyRTC name them: that one and all above.
 * @param {number} least 0 debug, 1 info, 2 warning, 3 error, 4 none
 * @returns {LogFilter}
 */
export const logFilter = (least) => ({
  error: least < 4,
  warn: least < 3,
  info: least < 2,
  track: least < 1,
  debug: least < 1,
});

/** @param {(least: number) => LogFilter | number} of */
const logFilters = (of) =>
  Object.fromEntries("DEBUG INFO WARNING ERROR OFF".split(" ").map((name, least) => [`LOG_FILTER_${name}`, of(least)]));

/** @type {Flavour} */
export const AGORA = {
  errors: AGORA_ERRORS,
  endCallPrefix: "AgoraRTMLegacyEndcallCompatibleMessagePrefix",
  logFilters: logFilters(logFilter),
  isAnyRtc: false,
  otherNames: {},
};

/** @type {Flavour} */
export const ANYRTC = {
  errors: ANYRTC_ERRORS,
  endCallPrefix: "",
  logFilters: logFilters((least) => least),
  isAnyRtc: true,
  otherNames: { TokenPrivilegeWillExpire: "TokenWillExpired", TokenExpired: "TokenDidExpired" },
};

/**
 * The enums of error numbers as anyRTC has them: `LoginError.LOGIN_ERR_TIMEOUT` and, as TypeScript's enums do,
 * `LoginError[8]`.
 * @param {ErrorTable} errors
 * @returns {Record<string, Record<string, number | string>>}
 */
export function errorEnums(errors) {
  /** @type {Record<string, Record<string, number | string>>} */
  const enums = { BasicErrorCode: { INVALID_OPERATION: 1, 1: "INVALID_OPERATION" } };
  for (const [group, numbers] of Object.entries(errors)) {
    const words = group.slice(0, -4).toLowerCase().split("_");
    const name = words.map((word) => word[0].toUpperCase() + word.slice(1)).join("");
    /** @type {Record<string, number | string>} */
    const values = (enums[name + (name === "GetChannelMemberCount" ? "ErrCode" : "Error")] = {});
    for (const [key, number] of Object.entries(numbers)) {
      const full = group === "JOIN_CHANNEL_ERR" && key === "TIMEOUT" ? "JOIN_CHANNEL_TIMEOUT" : `${group}_${key}`;
      values[full] = number;
      values[number] = full;
    }
  }
  return enums;
}
