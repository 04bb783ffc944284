/** What an RtmClient does with files and images (docs/contract.md 2 and 4). */

import { Transfer } from "../connection/transfer.js";
import { Media } from "../session/media.js";
import { NOT_ID, unless } from "./checks.js";
import { PeersClient } from "./client_peers.js";
import { kindFault, sizeFault } from "./media.js";
import { mediaMessage } from "./messages.js";

/** @typedef {import("../connection/transfer.js").TransferHandler} TransferHandler */

/** Of one client, both ways together. */
const TRANSFERS = 9;

/**
 * @template {{[name: string]: any[]}} Events
 * @extends {PeersClient<Events>}
 */
export class MediaClient extends PeersClient {
  #context;

  /** @param {import("./context.js").Context} context */
  constructor(context) {
    super(context);
    this.#context = context;
  }

  /**
   * @param {Blob} payload
   * @param {any} params
   * @param {TransferHandler} [handler]
   * @returns {Promise<any>} the message, to be sent
   */
  createMediaMessageByUploading(payload, params, handler) {
    const kind = kindFault(params);
    const late = kind ?? sizeFault(payload, params);
    return this.#transfer("UPLOAD_MEDIA_ERR", kind, late, handler, async (media, transfer) => {
      const { messageType: type, fileName, description, thumbnail, thumbnailWidth = 0, thumbnailHeight = 0 } = params;
      const name = fileName ?? /** @type {File} */ (payload).name ?? "";
      const found = await media.upload(transfer, payload, type, name);
      const own = thumbnail && { thumbnail_width: thumbnailWidth, thumbnail_height: thumbnailHeight };
      return mediaMessage({ ...found, type, ...own }, description, thumbnail);
    });
  }

  /**
   * @param {string} mediaId
   * @param {TransferHandler} [handler]
   * @returns {Promise<Blob>}
   */
  downloadMedia(mediaId, handler) {
    const fault = unless(typeof mediaId === "string" && mediaId !== "", NOT_ID);
    return this.#transfer("DOWNLOAD_MEDIA_ERR", fault, null, handler, (media, transfer) => {
      return media.download(transfer, mediaId);
    });
  }

  /**
   * @template Result
   * @param {string} group
   * @param {import("./checks.js").Fault | null} early
   * @param {import("./checks.js").Fault | null} late
   * @param {TransferHandler | undefined} handler
   * @param {(media: Media, transfer: Transfer) => Promise<Result>} work
   */
  #transfer(group, early, late, handler, work) {
    const context = this.#context;
    const { transfers } = context;
    const tooMany = unless(transfers.size < TRANSFERS, "too many", "CONCURRENCY_LIMIT_EXCEEDED");
    return context.ask(group, early, [late, tooMany], async (session) => {
      const transfer = new Transfer(context.runtime, handler);
      transfers.add(transfer);
      try {
        return await transfer.run(() => work(new Media(session, () => context.server), transfer));
      } finally {
        transfers.delete(transfer);
      }
    });
  }
}
