/** Messages as the vendors shape them, and as they travel. */

import { isRecord } from "./checks.js";
import { utf8Length } from "../connection/protocol.js";

/** @typedef {import("../connection/protocol.js").Message} WireMessage */
/** @typedef {import("../connection/protocol.js").Entry} Entry */

/** A call with more arguments than that overflows the stack. */
const SPREAD = 0x8000;

/** @param {unknown} value also of another frame's realm */
const isBytes = (value) => Object.prototype.toString.call(value) === "[object Uint8Array]";

/**
 * Looks at a message's shape, and writes its `messageType` into it, as the vendors do.
 * @param {any} message
 * @returns {string | null} what is wrong
 */
export function shapeFault(message) {
  if (!isRecord(message)) return "the message is not an object";
  const { text, rawMessage, description } = message;
  const type = message.messageType ?? (isBytes(rawMessage) ? "RAW" : typeof text === "string" ? "TEXT" : undefined);
  if (type === "TEXT" && (typeof text !== "string" || rawMessage !== undefined)) return "a text message has a text";
  if (type === "RAW") {
    if (!isBytes(rawMessage) || text !== undefined) return "a raw message has a rawMessage of bytes, and no text";
    if (!["string", "undefined"].includes(typeof description)) return "the description is not a string";
  } else if (type === "FILE" || type === "IMAGE") {
    if (typeof message.mediaId !== "string") return "a media message has a mediaId";
  } else if (type !== "TEXT") {
    return "the messageType is missing or unknown";
  }
  message.messageType = type;
  return null;
}

/** @param {any} message whose shape is right @returns {number} bytes that count for its limit */
export const messageBytes = ({ text, rawMessage, description }) =>
  typeof text === "string" ? utf8Length(text) : (rawMessage?.length ?? 0) + utf8Length(description ?? "");

/** @param {any} message a text or raw message whose shape is right @returns {WireMessage} */
export function toWire({ messageType, text, rawMessage, description }) {
  if (messageType === "TEXT") return { type: "TEXT", text };
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
