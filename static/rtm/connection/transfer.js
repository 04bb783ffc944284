/** An up- or download beside the socket: what it tells of its progress, and how it ends before its time. */

import { reportError } from "./emitter.js";
import { RtmError, TimeoutError } from "./errors.js";
import { request } from "./runtime.js";

/**
 * @typedef {object} TransferHandler
 * @property {AbortSignal} [cancelSignal]
 * @property {(progress: {currentSize: number, totalSize: number}) => void} [onOperationProgress] in bytes; `totalSize`:
 *   Infinity while it is not known
 */
/** @typedef {[status: number, body: Blob]} Answer its status is 0 where there was none */

/** So long nothing may move. */
const STALL_MS = 30_000;
/** Where nobody says how far it is: as long as an upload's form can be used. */
const BLIND_MS = 900_000;

/** How often one of the page's transfers has moved. */
let moves = 0;

export class Transfer {
  #runtime;
  #handler;
  /** @type {unknown} */
  #timer = null;
  /** Ends the request under way. */
  #abort = () => {};
  /** @type {(error: RtmError) => void} */
  #reject = () => {};
  /** Called once where it does not come to its end, at once where it is stopped. */
  undo = () => {};
  /** Why it does not come to its end. @type {RtmError | null} */
  error = null;

  /**
   * @param {import("./runtime.js").Runtime} runtime
   * @param {TransferHandler | null} [handler]
   */
  constructor(runtime, handler) {
    this.#runtime = runtime;
    this.#handler = handler ?? {};
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} work
   * @returns {Promise<Result>} rejects as soon as it is stopped, whatever is left to be done; with "interrupted" by the
   *   application, with "timeout" when nothing moves
   */
  async run(work) {
    const { cancelSignal } = this.#handler;
    const cancel = () => this.stop(new RtmError("interrupted"));
    try {
      return await new Promise((resolve, reject) => {
        this.#reject = reject;
        if (cancelSignal?.aborted) return cancel();
        cancelSignal?.addEventListener("abort", cancel);
        return work().then(resolve, (error) => this.stop(error));
      });
    } finally {
      cancelSignal?.removeEventListener("abort", cancel);
      this.#runtime.clearTimeout(this.#timer);
    }
  }

  /** @param {RtmError} error */
  stop(error) {
    this.error ??= error;
    this.#reject(error);
    this.#abort();
    this.undo();
    this.undo = () => {};
  }

  /**
   * One request.
   * @param {string} url
   * @param {FormData | null} [form] absent: fetches what is there
   * @param {number} [size] of the file in the form
   * @returns {Promise<Blob>} rejects with "transfer_failed"
   */
  async exchange(url, form = null, size = 0) {
    if (form) this.#moved(0, size);
    this.#check();
    this.#watch(STALL_MS, moves);
    const isByXhr = typeof XMLHttpRequest !== "undefined";
    const [status, body] = await (isByXhr ? this.#byXhr(url, form, size) : this.#byFetch(url, form));
    this.#check();
    if (status >= 200 && status < 300) {
      const all = form ? size : body.size;
      this.#moved(all, all);
      this.#runtime.clearTimeout(this.#timer);
      return body;
    }
    throw new RtmError("transfer_failed", `HTTP ${status}`, true);
  }

  /** Throws where it has ended. */
  #check() {
    if (this.error) throw this.error;
  }

  /**
   * @param {string} url
   * @param {FormData | null} form
   * @param {number} size
   * @returns {Promise<Answer>}
   */
  #byXhr(url, form, size) {
    return new Promise((resolve) => {
      const xhr = new XMLHttpRequest();
      xhr.open(form ? "POST" : "GET", url);
      xhr.responseType = "blob";
      (form ? xhr.upload : xhr).onprogress = ({ loaded, total }) => {
        // A form is a little larger than its file. The end is told when it is one.
        const all = form ? size : total || Infinity;
        if (loaded < all) this.#moved(loaded, all);
      };
      xhr.onloadend = () => resolve([xhr.status, xhr.response]);
      this.#abort = () => xhr.abort();
      xhr.send(form);
    });
  }

  /**
   * Where there is no other way: it does not tell how far it is.
   * @param {string} url
   * @param {FormData | null} form
   * @returns {Promise<Answer>}
   */
  async #byFetch(url, form) {
    const controller = new AbortController();
    this.#abort = () => controller.abort();
    this.#watch(BLIND_MS);
    try {
      const init = { method: form ? "POST" : "GET", body: form, signal: controller.signal };
      const answer = await request(this.#runtime, url, init);
      return [answer.status, await answer.blob()];
    } catch {
      return [0, new Blob()];
    }
  }

  /**
   * @param {number} currentSize
   * @param {number} totalSize
   */
  #moved(currentSize, totalSize) {
    if (this.error) return;
    moves++;
    this.#watch(STALL_MS);
    try {
      this.#handler.onOperationProgress?.({ currentSize, totalSize });
    } catch (error) {
      reportError(error);
    }
  }

  /**
   * @param {number} ms within which it has to move
   * @param {number} [before] of the moves, while nothing has moved of this one: then it is enough that another has. A
   *   browser has six connections to a server, and a transfer beyond them waits for its own
   */
  #watch(ms, before = Infinity) {
    this.#runtime.clearTimeout(this.#timer);
    this.#timer = this.#runtime.setTimeout(() => {
      if (moves > before) this.#watch(ms, moves);
      else this.stop(new TimeoutError("the transfer"));
    }, ms);
  }
}
