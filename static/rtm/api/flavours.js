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

const LOGGED_OUT = { USER_NOT_LOGGED_IN: 102 };
const MEDIA = { FAILURE: 1, INVALID_ARGUMENT: 2, TIMEOUT: 3 };
const MEDIA_LIMITS = { CONCURRENCY_LIMIT_EXCEEDED: 5, INTERRUPTED: 6, NOT_LOGGED_IN: 102 };

/** @type {ErrorTable} */
const AGORA_ERRORS = {
  CREATE_INSTANCE_ERR: { INVALID_ARGUMENT: 1 },
  CREATE_CHANNEL_ERR: { INVALID_ARGUMENT: 1 },
  LOGIN_ERR: {
    UNKNOWN: 1,
    REJECTED: 2,
    INVALID_ARGUMENT: 3,
    INVALID_APP_ID: 4,
    INVALID_TOKEN: 5,
    TOKEN_EXPIRED: 6,
    NOT_AUTHORIZED: 7,
    ALREADY_LOGIN: 8,
    TIMEOUT: 9,
    TOO_OFTEN: 10,
    ABORTED_BY_LOGOUT: 201,
  },
  LOGOUT_ERR: LOGGED_OUT,
  RENEW_TOKEN_ERR: {
    FAILURE: 1,
    INVALID_ARGUMENT: 2,
    REJECTED: 3,
    TOO_OFTEN: 4,
    TOKEN_EXPIRED: 5,
    INVALID_TOKEN: 6,
    ...LOGGED_OUT,
    ABORTED_BY_LOGOUT: 201,
  },
  PEER_MESSAGE_ERR: {
    FAILURE: 1,
    TIMEOUT: 2,
    TOO_OFTEN: 5,
    INVALID_USERID: 6,
    INVALID_MESSAGE: 7,
    INCOMPATIBLE_MESSAGE: 8,
    ...LOGGED_OUT,
  },
  CHANNEL_MESSAGE_ERR: {
    FAILURE: 1,
    TIMEOUT: 2,
    TOO_OFTEN: 3,
    INVALID_MESSAGE: 4,
    NOT_IN_CHANNEL: 5,
    ...LOGGED_OUT,
  },
  JOIN_CHANNEL_ERR: {
    FAILURE: 1,
    REJECTED: 2,
    INVALID_ARGUMENT: 3,
    TIMEOUT: 4,
    EXCEED_LIMIT: 5,
    ALREADY_JOINED: 6,
    TOO_OFTEN: 7,
    JOIN_SAME_CHANNEL_TOO_OFTEN: 8,
    ...LOGGED_OUT,
    ABORTED_BY_LEAVE: 201,
    ALREADY_JOINED_CHANNEL_OF_SAME_ID: 202,
  },
  LEAVE_CHANNEL_ERR: { FAILURE: 1, REJECTED: 2, NOT_IN_CHANNEL: 3, ...LOGGED_OUT },
  GET_MEMBERS_ERR: { FAILURE: 1, REJECTED: 2, TIMEOUT: 3, TOO_OFTEN: 4, NOT_IN_CHANNEL: 5, ...LOGGED_OUT },
  GET_CHANNEL_MEMBER_COUNT_ERR: {
    FAILURE: 1,
    INVALID_ARGUMENT: 2,
    TOO_OFTEN: 3,
    TIMEOUT: 4,
    EXCEED_LIMIT: 5,
    NOT_INITIALIZED: 101,
    ...LOGGED_OUT,
  },
  ATTRIBUTE_OPERATION_ERR: {
    FAILURE: 2,
    INVALID_ARGUMENT: 3,
    SIZE_OVERFLOW: 4,
    TOO_OFTEN: 5,
    USER_NOT_FOUND: 6,
    TIMEOUT: 7,
    ...LOGGED_OUT,
  },
  QUERY_PEERS_ONLINE_STATUS_ERR: { INVALID_ARGUMENT: 2, REJECTED: 3, TIMEOUT: 4, TOO_OFTEN: 5, ...LOGGED_OUT },
  PEER_SUBSCRIPTION_STATUS_ERR: {
    FAILURE: 1,
    INVALID_ARGUMENT: 2,
    REJECTED: 3,
    TIMEOUT: 4,
    TOO_OFTEN: 5,
    OVERFLOW: 6,
    ...LOGGED_OUT,
  },
  QUERY_PEERS_BY_SUBSCRIPTION_OPTION_ERR: { FAILURE: 1, TIMEOUT: 2, TOO_OFTEN: 3, ...LOGGED_OUT },
  INVITATION_API_CALL_ERR: { INVALID_ARGUMENT: 1, NOT_STARTED: 2, ALREADY_END: 3, ALREADY_ACCEPT: 4, ALREADY_SENT: 5 },
  UPLOAD_MEDIA_ERR: { ...MEDIA, SIZE_OVERFLOW: 4, ...MEDIA_LIMITS },
  DOWNLOAD_MEDIA_ERR: { ...MEDIA, NOT_EXIST: 4, ...MEDIA_LIMITS },
  // What the vendors do not have: getMessageHistory and setBusinessId.
  MESSAGE_HISTORY_ERR: { FAILURE: 1, INVALID_ARGUMENT: 2, TIMEOUT: 3, TOO_OFTEN: 4, NOT_IN_CHANNEL: 5, ...LOGGED_OUT },
  BUSINESS_ID_ERR: { FAILURE: 1, INVALID_ARGUMENT: 2, TIMEOUT: 3, TOO_OFTEN: 4, ...LOGGED_OUT },
};

/** @type {ErrorTable} */
const ANYRTC_ERRORS = {
  ...AGORA_ERRORS,
  LOGIN_ERR: {
    UNKNOWN: 1,
    REJECTED: 2,
    INVALID_ARGUMENT: 2,
    INVALID_APP_ID: 3,
    INVALID_TOKEN: 4,
    TOKEN_EXPIRED: 5,
    NOT_AUTHORIZED: 6,
    ALREADY_LOGIN: 7,
    TIMEOUT: 8,
    TOO_OFTEN: 9,
    ABORTED_BY_LOGOUT: 10,
    GATEWAY_CONNECT_FAILED: 11,
  },
  JOIN_CHANNEL_ERR: {
    ...AGORA_ERRORS.JOIN_CHANNEL_ERR,
    ABORTED_BY_LEAVE: 210,
    ALREADY_JOINED_CHANNEL_OF_SAME_ID: 211,
  },
  GET_MEMBERS_ERR: { ...AGORA_ERRORS.GET_MEMBERS_ERR, USER_NOT_LOGGED_IN: 6 },
  QUERY_PEERS_ONLINE_STATUS_ERR: { INVALID_ARGUMENT: 0, REJECTED: 1, TIMEOUT: 2, TOO_OFTEN: 3, ...LOGGED_OUT },
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
const logFilters = (of) => ({
  LOG_FILTER_DEBUG: of(0),
  LOG_FILTER_INFO: of(1),
  LOG_FILTER_WARNING: of(2),
  LOG_FILTER_ERROR: of(3),
  LOG_FILTER_OFF: of(4),
});

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
