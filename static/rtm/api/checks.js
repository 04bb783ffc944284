/** What arguments may be (docs/contract.md 2, 7 and 13). Each check returns what is wrong, or null. */

import { utf8Length } from "../connection/protocol.js";

/** @typedef {[name: string, detail: string]} Fault the error's name in its group's table */

const NAME = /^[ !#-&()+-.0-[\]-_a-~\t\n\xa0]{1,64}$/;
/** Nothing that is not seen: controls, blanks but the space, marks of direction. The server looks more closely. */
const VISIBLE = /^(?! +$)(?: |[^\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f])+$/;
const KEY_BYTES = 32;
export const NOT_ID = "not a valid id";
export const TOO_LARGE = "too large";
export const INVALID = "INVALID_ARGUMENT";
export const NONE_VALID = "not a valid list";

/**
 * Sizes of a project that has raised none, for what is refused before anybody is logged in, and the most that a
 * project can raise them to. In between the server decides: only it knows the project.
 */
const SIZES = [
  { count: 32, value: 8192, user: 16_384, room: 32_768 },
  { count: 1024, value: 40_960, user: 40_960, room: 40_960 },
];
/** The most that a project can raise a message to, in bytes. */
export const MESSAGE_CEILING = 40_960;
export const INVITATION_BYTES = 8192;

/**
 * @param {boolean} isRight
 * @param {string} detail
 * @param {string} [name]
 * @returns {Fault | null}
 */
export const unless = (isRight, detail, name = INVALID) => (isRight ? null : [name, detail]);

/** @param {unknown} value @returns {value is string} the id of a user or a channel */
export const isName = (value) => typeof value === "string" && value !== "null" && NAME.test(value);

/** @param {unknown} value @returns {value is string[]} at least one id */
export const areNames = (value) => Array.isArray(value) && value.length > 0 && value.every(isName);

/** @param {unknown} value @returns {value is string} an attribute's key */
const isKey = (value) => typeof value === "string" && VISIBLE.test(value) && utf8Length(value) <= KEY_BYTES;

/** @param {unknown} value @returns {value is string[]} at least one attribute's key */
export const areKeys = (value) =>
  Array.isArray(value) && value.length > 0 && value.length <= SIZES[1].count && value.every(isKey);

/** @param {unknown} value @returns {value is string} */
export const isBusinessId = (value) => typeof value === "string" && /^[!-~]{1,64}$/.test(value);

/**
 * @param {unknown} attributes
 * @param {"user" | "room"} owner
 * @param {boolean} isLoggedIn
 * @returns {Fault | null}
 */
export function attributesFault(attributes, owner, isLoggedIn) {
  const entries = isRecord(attributes) ? Object.entries(attributes) : [];
  if (entries.length === 0) return [INVALID, "not valid attributes"];
  const most = SIZES[Number(isLoggedIn)];
  let bytes = 0;
  for (const [key, value] of entries) {
    if (!isKey(key)) return [INVALID, "not a valid key"];
    if (typeof value !== "string" || value === "") return [INVALID, "not a valid value"];
    const size = utf8Length(value);
    if (size > most.value) return ["SIZE_OVERFLOW", TOO_LARGE];
    bytes += size + utf8Length(key);
  }
  if (entries.length > most.count) return ["SIZE_OVERFLOW", TOO_LARGE];
  return bytes > most[owner] ? ["SIZE_OVERFLOW", TOO_LARGE] : null;
}

/** @param {unknown} value @returns {value is Record<string, any>} */
export const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
