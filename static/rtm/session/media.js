/** Files and images: their bytes go beside the socket, which says where to, and what has come (docs/contract.md 4). */

import { Backoff } from "../connection/backoff.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("../connection/transfer.js").Transfer} Transfer */

/**
 * @typedef {object} Uploaded what the server has found
 * @property {string} media
 * @property {string} name
 * @property {number} size
 * @property {number} width of an image; 0 of what is none, as the other measures
 * @property {number} height
 * @property {number} thumbnail_width
 * @property {number} thumbnail_height
 */

/** A file may wait until others of its user are checked. */
const FINISH_MS = 120_000;
const TRIES = 3;
/** So long the network may be away between two of them. */
const AWAY_MS = 30_000;

export class Media {
  #session;
  #server;

  /**
   * @param {Session} session
   * @param {() => string} server where the socket is connected to, as `https://rtm.example`
   */
  constructor(session, server) {
    this.#session = session;
    this.#server = server;
  }

  /**
   * @param {Transfer} transfer
   * @param {Blob} blob
   * @param {"FILE" | "IMAGE"} kind
   * @param {string} name
   * @returns {Promise<Uploaded>} what fails, or is stopped, is given up on the server as well
   */
  async upload(transfer, blob, kind, name) {
    const { size } = blob;
    const { media, url, fields } = await this.#call("media.start", { kind, name, size });
    transfer.undo = () => void this.#call("media.abandon", { media }).catch(() => {});
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.append(field, value);
    form.append("file", blob);
    await this.#try(transfer, () => transfer.exchange(this.#absolute(url), form, size));
    return this.#call("media.finish", { media }, FINISH_MS);
  }

  /**
   * @param {Transfer} transfer
   * @param {string} media
   * @returns {Promise<Blob>}
   */
  download(transfer, media) {
    // An address may be too old when it is used again.
    return this.#try(transfer, async () => {
      const { url } = await this.#call("media.url", { media });
      return transfer.exchange(this.#absolute(url));
    });
  }

  /**
   * Again after a failure that passes, when the session has its connection: the network is the same.
   * @template Result
   * @param {Transfer} transfer
   * @param {() => Promise<Result>} attempt
   * @returns {Promise<Result>}
   */
  async #try(transfer, attempt) {
    const { runtime } = this.#session;
    const backoff = new Backoff(runtime);
    for (let left = TRIES - 1; ; left--) {
      try {
        return await attempt();
      } catch (error) {
        if (transfer.error || left === 0 || !(/** @type {any} */ (error).retryable)) throw error;
      }
      await new Promise((go) => runtime.setTimeout(() => go(null), backoff.next()));
      await this.#call("session.ping", {}, AWAY_MS);
    }
  }

  /** @param {string} url @returns {string} */
  #absolute(url) {
    return url.startsWith("/") ? this.#server() + url : url;
  }

  /** @param {string} method @param {object} params @param {number} [timeoutMs] */
  #call(method, params, timeoutMs) {
    return this.#session.call(method, params, timeoutMs, { isPatient: true });
  }
}
