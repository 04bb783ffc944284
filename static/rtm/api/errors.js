/** The vendors' errors: an `Error` with a `name`, a `code`, and a message that says which of the table it is. */

import { RpcError, RtmError } from "../connection/errors.js";

/** @typedef {import("./flavours.js").ErrorTable} ErrorTable */

/** The error's `name` follows from its name in the table; the first that fits. */
const KINDS = /** @type {[RegExp, string][]} */ ([
  [/OFTEN$/, "RtmInvokeTooOftenError"],
  [/^TIMEOUT/, "RtmTimeoutError"],
  [/OVERFLOW$|LIMIT/, "RtmLimitExceededError"],
  [/TOKEN|APP_ID|AUTHORIZED|REJECTED/, "RtmUnauthenticatedError"],
  [/^INVALID/, "RtmInvalidArgumentError"],
  [/^NOT_|^ALREADY|^ABORTED|LOGGED_IN/, "RtmInvalidStatusError"],
  [/./, "RtmInternalError"],
]);

const REJECTED = "REJECTED";
const LOGGED_OUT = "USER_NOT_LOGGED_IN NOT_LOGGED_IN";

/**
 * What the session's errors are called in the table, where it is not the same name, or not in each group: the first
 * of these that the group has.
 */
const MEANINGS = /** @type {Record<string, string>} */ ({
  expired: "TIMEOUT",
  join_same_room_too_often: "JOIN_SAME_CHANNEL_TOO_OFTEN",
  not_connected: LOGGED_OUT,
  not_logged_in: LOGGED_OUT,
  aborted: `ABORTED_BY_LOGOUT ABORTED_BY_LEAVE ${LOGGED_OUT}`,
  already_logged_in: "ALREADY_LOGIN",
  invalid_params: "INVALID_ARGUMENT INVALID_MESSAGE",
  size_overflow: "SIZE_OVERFLOW INVALID_MESSAGE INVALID_ARGUMENT",
  limit_exceeded: "EXCEED_LIMIT OVERFLOW FAILURE INVALID_ARGUMENT",
  invalid_app_id: `INVALID_APP_ID ${REJECTED}`,
  not_authorized: `NOT_AUTHORIZED ${REJECTED}`,
  not_in_room: "NOT_IN_CHANNEL",
  too_many_uploads: "CONCURRENCY_LIMIT_EXCEEDED",
  media_not_found: "NOT_EXIST",
  media_refused: "INVALID_ARGUMENT",
  banned: REJECTED,
  kicked: REJECTED,
  remote_login: REJECTED,
  superseded: REJECTED,
  no_endpoint: REJECTED,
});

/** For every other error. */
const OTHERS = ` FAILURE UNKNOWN ${REJECTED}`;

export class ApiError extends Error {
  /**
   * @param {string} name
   * @param {number} code
   * @param {string} message
   * @param {unknown} [cause] the error of the session, for those who want to know more than the vendors tell
   */
  constructor(name, code, message, cause) {
    super(message);
    this.name = name;
    this.code = code;
    /** The server's own number, where it was the server that refused. */
    this.serverCode = cause instanceof RpcError ? cause.code : undefined;
    this.cause = cause;
  }
}

/**
 * @param {ErrorTable} errors
 * @param {string} group
 * @param {string} name of the group's table
 * @param {string} detail
 * @param {unknown} [cause]
 */
export function apiError(errors, group, name, detail, cause) {
  const [, kind] = /** @type {[RegExp, string]} */ (KINDS.find(([pattern]) => pattern.test(name)));
  return new ApiError(kind, errors[group][name], `${group}_${name}: ${detail}`, cause);
}

/**
 * @param {ErrorTable} errors
 * @param {string} group
 * @param {unknown} error of the session
 * @returns {ApiError}
 */
export function translated(errors, group, error) {
  if (error instanceof ApiError) return error;
  const meaning = error instanceof RtmError ? (MEANINGS[error.name] ?? error.name.toUpperCase()) : "";
  const name = `${meaning}${OTHERS}`.split(" ").find((candidate) => candidate in errors[group]);
  return apiError(errors, group, name ?? "", /** @type {any} */ (error)?.message ?? String(error), error);
}
