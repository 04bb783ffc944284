/** What may be uploaded (docs/contract.md 2 and 4). */

import { utf8Length } from "../connection/protocol.js";
import { INVALID, isRecord } from "./checks.js";

/** @typedef {import("./checks.js").Fault} Fault */
/** @typedef {{before: Fault | null, after: Fault | null}} MediaFault to be told before "not logged in", and after */

const MEDIA_BYTES = 30 * 1024 * 1024;
const DESCRIPTION_BYTES = 32 * 1024;

/**
 * @param {unknown} payload
 * @param {any} params
 * @returns {MediaFault}
 */
export function mediaFault(payload, params) {
  const isMedia = isRecord(params) && ["FILE", "IMAGE"].includes(params.messageType);
  if (!isMedia) return { before: [INVALID, "the messageType is FILE or IMAGE"], after: null };
  return { before: null, after: sizeFault(payload, params) };
}

/** @param {unknown} payload @param {Record<string, any>} params @returns {Fault | null} */
function sizeFault(payload, { fileName = "", description = "", thumbnail }) {
  if (!(payload instanceof Blob)) return [INVALID, "the payload is not a Blob"];
  if (typeof fileName !== "string" || typeof description !== "string") return [INVALID, "not a string"];
  const bytes = utf8Length(fileName) + utf8Length(description) + (thumbnail?.size ?? 0);
  const isRight = payload.size > 0 && payload.size <= MEDIA_BYTES && bytes <= DESCRIPTION_BYTES;
  return isRight ? null : ["SIZE_OVERFLOW", "1 byte to 30 MB, with a description of at most 32 KB"];
}
