/** Messages as the vendors shape them, and as they travel. */

import { MESSAGE_CEILING, TOO_LARGE, isRecord, unless } from "./checks.js";
import { NO_MEDIA } from "./media.js";
import { utf8Length } from "../connection/protocol.js";

/** @typedef {import("../connection/protocol.js").Message} WireMessage */
/** @typedef {import("./checks.js").Fault} Fault */

/** A call with more arguments than that overflows the stack. */
const SPREAD = 0x8000;

/** @param {unknown} value also of another frame's realm */
const isBytes = (value) => Object.prototype.toString.call(value) === "[object Uint8Array]";

/** @param {any} message */
const isMedia = ({ mediaId, text, rawMessage }) => typeof mediaId === "string" && (text ?? rawMessage) === undefined;

/** @type {Map<unknown, (message: any) => boolean>} what a message of each type has, and has not */
const SHAPES = new Map([
  ["TEXT", ({ text, rawMessage }) => typeof text === "string" && rawMessage === undefined],
  ["RAW", ({ text, rawMessage, description = "" }) =>
    isBytes(rawMessage) && text === undefined && typeof description === "string"],
  ["FILE", isMedia],
  ["IMAGE", isMedia],
]);

/**
 * Looks at a message's shape, and writes its `messageType` into it, as the vendors do.
 * @param {any} message
 * @returns {Fault | null}
 */
export function shapeFault(message) {
  const isMessage = isRecord(message);
  const { text, rawMessage, messageType } = isMessage ? message : /** @type {any} */ ({});
  const type = messageType ?? (isBytes(rawMessage) ? "RAW" : typeof text === "string" ? "TEXT" : "");
  const isRight = isMessage && SHAPES.get(type)?.(message) === true;
  if (isRight) Reflect.set(message, "messageType", type);
  return unless(isRight, "not a message with text, bytes or media", "INVALID_MESSAGE");
}

/**
 * What is told after the shape: no project lets it be that large, or nobody can deliver it.
 * @param {any} message whose shape is right
 * @returns {Fault | null}
 */
export function contentFault({ text, rawMessage, description = "" }) {
  if ((text ?? rawMessage) === undefined) return NO_MEDIA;
  const bytes = text === undefined ? rawMessage.length + utf8Length(description) : utf8Length(text);
  return unless(bytes <= MESSAGE_CEILING, TOO_LARGE, "INVALID_MESSAGE");
}

/** @param {any} message a text or raw message whose shape is right @returns {WireMessage} */
export function toWire({ text, rawMessage, description }) {
  if (text !== undefined) return { type: "TEXT", text };
  return { type: "RAW", raw: toBase64(rawMessage), ...(description && { description }) };
}

/** @param {any} body @returns {any} null for a type of a later version */
export function fromWire({ type, text, raw, description = "" }) {
  if (type === "TEXT") return { text, messageType: type };
  return type === "RAW" ? { rawMessage: fromBase64(raw), description, messageType: type } : null;
}

/**
 * @param {number} ts
 * @param {boolean} isOfflineMessage
 * @param {boolean} [isHistoricalMessage]
 */
export const propsOf = (ts, isOfflineMessage, isHistoricalMessage = false) => ({
  serverReceivedTs: ts,
  isOfflineMessage,
  isHistoricalMessage,
});

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += SPREAD) binary += String.fromCharCode(...bytes.subarray(at, at + SPREAD));
  return btoa(binary);
}

/** @param {string} text */
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
