/** What may be uploaded (docs/contract.md 2 and 4). */

import { utf8Length } from "../connection/protocol.js";
import { INVALID, unless } from "./checks.js";

/** @typedef {import("./checks.js").Fault} Fault */

/** The most that a project can raise it to. */
const MEDIA_CEILING = 100 * 1024 * 1024;
const DESCRIBED_BYTES = 32 * 1024;

/**
 * @param {any} media a message, or what one is made with
 * @returns {number} bytes of what travels beside the file; NaN where that is not as it should be
 */
export function describedBytes({ fileName = "", description = "", thumbnail }) {
  const areTexts = typeof fileName === "string" && typeof description === "string";
  if (!areTexts || (thumbnail && !(thumbnail instanceof Blob))) return NaN;
  return utf8Length(fileName) + utf8Length(description) + (thumbnail?.size ?? 0);
}

/** @param {unknown} type */
export const isMediaType = (type) => type === "FILE" || type === "IMAGE";

/** @param {any} params @returns {Fault | null} */
export const kindFault = (params) => unless(isMediaType(params?.messageType), "not a valid messageType");

/** @param {unknown} payload @param {any} params of a right kind @returns {Fault | null} */
export function sizeFault(payload, params) {
  const bytes = describedBytes(params);
  if (!(payload instanceof Blob && bytes >= 0)) return [INVALID, "not a valid Blob"];
  const { size } = payload;
  const isRight = size > 0 && size <= MEDIA_CEILING && bytes <= DESCRIBED_BYTES;
  return unless(isRight, "not a valid size", "SIZE_OVERFLOW");
}
