/** What may be uploaded (docs/contract.md 2 and 4). */

import { utf8Length } from "../connection/protocol.js";
import { INVALID, isRecord, unless } from "./checks.js";

/** @typedef {import("./checks.js").Fault} Fault */
/** What a client says of it where the server has no storage. */
export const NO_MEDIA = /** @type {Fault} */ (["FAILURE", "this server has no media storage"]);

const MEDIA_BYTES = 30 * 1024 * 1024;
const DESCRIPTION_BYTES = 32 * 1024;

/** @param {any} params @returns {Fault | null} */
export const kindFault = (params) =>
  unless(isRecord(params) && ["FILE", "IMAGE"].includes(params.messageType), "the messageType is FILE or IMAGE");

/** @param {unknown} payload @param {any} params of a right kind @returns {Fault | null} */
export function sizeFault(payload, { fileName = "", description = "", thumbnail } = /** @type {any} */ ({})) {
  if (!(payload instanceof Blob)) return [INVALID, "not a Blob"];
  if (typeof fileName !== "string" || typeof description !== "string") return [INVALID, "not a string"];
  const bytes = utf8Length(fileName) + utf8Length(description) + (thumbnail?.size ?? 0);
  const isRight = payload.size > 0 && payload.size <= MEDIA_BYTES && bytes <= DESCRIPTION_BYTES;
  return unless(isRight, "1 byte to 30 MB, described in 32 KB", "SIZE_OVERFLOW");
}
