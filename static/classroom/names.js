/**
 * People's names and room names as ids. An id has only the contract's ASCII characters (docs/contract.md 2), a
 * name any: one that does not fit is written as base64url of its UTF-8 behind a "~". A person's id ends in
 * "~" and a tag of their browser, so that two people of one name are two.
 */

/** Bytes of an id. */
const ID_LIMIT = 64;
const TAG_LENGTH = 6;
const PLAIN = /^[a-zA-Z0-9 !#$%&()+\-:;<=.>?@[\]^_{}|,]+$/;
const TAG = new RegExp(`^[a-z0-9]{${TAG_LENGTH}}$`);

/** @param {string} text as typed @returns {string} as meant */
export function tidy(text) {
  return text.normalize("NFC").replace(/\s+/gu, " ").trim();
}

/** @param {string} name tidy */
function encode(name) {
  if (PLAIN.test(name)) return name;
  const bytes = Array.from(new TextEncoder().encode(name), (byte) => String.fromCharCode(byte)).join("");
  return `~${btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** @param {string} id @returns {string | null} null where it is not one of ours */
function decode(id) {
  if (!id.startsWith("~")) return id === "" ? null : id;
  try {
    const bytes = atob(id.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

/**
 * @param {string} name tidy
 * @param {string} tag six of a-z and 0-9
 * @returns {string | null} null where the name is too long
 */
export function uidOf(name, tag) {
  const uid = `${encode(name)}~${tag}`;
  return uid.length <= ID_LIMIT ? uid : null;
}

/** @param {string} uid of anybody, also of other programs @returns {string} what to call them */
export function nameOf(uid) {
  const end = uid.lastIndexOf("~");
  if (end < 0 || !TAG.test(uid.slice(end + 1))) return uid;
  return decode(uid.slice(0, end)) ?? uid;
}

/** @param {string} name tidy @returns {string | null} the room's id, null where the name is too long */
export function roomIdOf(name) {
  const id = encode(name);
  return id.length <= ID_LIMIT ? id : null;
}

/** @param {(length: number) => Uint8Array} randomBytes */
export function makeTag(randomBytes) {
  return Array.from(randomBytes(TAG_LENGTH), (byte) => (byte % 36).toString(36)).join("");
}

/** @param {string} name @returns {string} one or two letters; one sign where the script has no capitals */
export function initialsOf(name) {
  const words = name.split(" ").filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.map((word) => word.match(/[\p{L}\p{N}]/u)?.[0] ?? "");
  const [first = "?", ...others] = letters;
  if (!/\p{Lu}|\p{Ll}/u.test(first)) return first;
  return (first + (others.at(-1) ?? "")).toLocaleUpperCase();
}

/** @param {string} uid @returns {number} 1 to 6: which of the tints, the same for everybody */
export function tintOf(uid) {
  let hash = 0;
  for (const char of uid) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return (hash % 6) + 1;
}
