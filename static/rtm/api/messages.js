/** Messages as the vendors shape them, and as they travel. */

import { MESSAGE_CEILING, TOO_LARGE, isRecord, unless } from "./checks.js";
import { describedBytes, isMediaType } from "./media.js";
import { utf8Length } from "../connection/protocol.js";

/** @typedef {import("../connection/protocol.js").Message} WireMessage */
/** @typedef {import("./checks.js").Fault} Fault */

/** A call with more arguments than that overflows the stack. */
const SPREAD = 0x8000;

/** @param {unknown} value also of another frame's realm */
const isBytes = (value) => Object.prototype.toString.call(value) === "[object Uint8Array]";

/**
 * Looks at a message's shape, and writes its `messageType` into it, as the vendors do.
 * @param {any} message
 * @returns {Fault | null}
 */
export function shapeFault(message) {
  const isMessage = isRecord(message);
  const { text, rawMessage, messageType, description = "", mediaId } = isMessage ? message : /** @type {any} */ ({});
  const isRaw = isBytes(rawMessage);
  const isText = typeof text === "string";
  const type = messageType ?? (isRaw ? "RAW" : isText ? "TEXT" : "");
  const isOne =
    type === "TEXT"
      ? isText && rawMessage === undefined
      : type === "RAW"
        ? isRaw && text === undefined && typeof description === "string"
        : isMediaType(type) && typeof mediaId === "string" && (text ?? rawMessage) === undefined;
  const isRight = isOne && (isText || isRaw || describedBytes(message) >= 0);
  if (isRight) Reflect.set(message, "messageType", type);
  return unless(isRight, "not a valid message", "INVALID_MESSAGE");
}

/**
 * What is told after the shape: no project lets it be that large.
 * @param {any} message whose shape is right
 * @returns {Fault | null}
 */
export function contentFault(message) {
  const { text, rawMessage, description = "" } = message;
  const described = rawMessage ? rawMessage.length + utf8Length(description) : describedBytes(message);
  return unless((text === undefined ? described : utf8Length(text)) <= MESSAGE_CEILING, TOO_LARGE, "INVALID_MESSAGE");
}

/**
 * @param {any} message whose shape is right
 * @returns {WireMessage | Promise<WireMessage>} as it is now; a promise where a thumbnail has to be read
 */
export function toWire({ text, rawMessage, description, ...media }) {
  if (text !== undefined) return { type: "TEXT", text };
  if (rawMessage) return { type: "RAW", raw: toBase64(rawMessage), description: description || undefined };
  const { messageType: type, mediaId, fileName: name, thumbnail, thumbnailWidth, thumbnailHeight } = media;
  /** @type {WireMessage} */
  const wire = { type, media: mediaId, name, description };
  if (!thumbnail) return wire;
  const measures = type === "IMAGE" && { thumbnail_width: thumbnailWidth, thumbnail_height: thumbnailHeight };
  return thumbnail.arrayBuffer().then((/** @type {ArrayBuffer} */ buffer) => {
    return { ...wire, thumbnail: toBase64(new Uint8Array(buffer)), ...measures };
  });
}

/** @param {any} body @returns {any} null for a type of a later version */
export function fromWire(body) {
  const { type, text, raw, description = "", thumbnail } = body;
  if (type === "TEXT") return { text, messageType: type };
  if (type === "RAW") return { rawMessage: fromBase64(raw), description, messageType: type };
  if (!isMediaType(type)) return null;
  return mediaMessage(body, description, thumbnail && new Blob([fromBase64(thumbnail)]));
}

/**
 * @param {any} body what the server says of the file, in a message or after its upload
 * @param {string} [description]
 * @param {Blob | null} [thumbnail]
 */
export const mediaMessage = (body, description = "", thumbnail) => ({
  mediaId: body.media,
  fileName: body.name,
  description,
  thumbnail: thumbnail ?? undefined,
  size: body.size,
  messageType: body.type,
  ...(body.type === "IMAGE" && {
    width: body.width,
    height: body.height,
    thumbnailWidth: body.thumbnail_width,
    thumbnailHeight: body.thumbnail_height,
  }),
});

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
