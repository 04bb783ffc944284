/**
 * Where the fake server's files are: its methods, and what is posted and fetched over HTTP, by `fetch` or by an
 * `XMLHttpRequest` of the test's.
 */

import { rpcError } from "./fake_streams.js";

/** @typedef {import("./fake_methods.js").Call} Call */
/** @typedef {import("./fake_runtime.js").FakeRuntime} FakeRuntime */
/** @typedef {{kind: string, name: string, size: number, state: string, content: Blob | null}} FakeFile */

/** What the server finds of every image. */
const MEASURES = { width: 640, height: 480, thumbnail_width: 320, thumbnail_height: 240 };
const NO_MEASURES = { width: 0, height: 0, thumbnail_width: 0, thumbnail_height: 0 };

export class FakeMedia {
  /** @type {Map<string, FakeFile>} by media id */
  files = new Map();
  /** What stands before the addresses: "" where they are of the server itself. */
  origin = "";
  /** @type {string[]} method and address of each HTTP request */
  requests = [];
  /** @type {number[]} what the next HTTP requests are answered with; 0: the network breaks */
  statuses = [];

  /** The message as the server makes it; null for what has no file. @param {any} message */
  message({ media, ...message }) {
    if (media === undefined) return null;
    const { name, size } = this.files.get(media) ?? { name: "of another day", size: 7 };
    const measures = message.type === "IMAGE" ? MEASURES : {};
    return { media, name, size, description: "", content_type: "text/plain", ...measures, ...message };
  }

  /**
   * What becomes of an HTTP request.
   * @param {string} method
   * @param {string} url
   * @param {FormData | null} form
   * @returns {{status: number, body: Blob}}
   */
  take(method, url, form) {
    this.requests.push(`${method} ${url}`);
    const status = this.statuses.shift() ?? 200;
    const file = this.files.get(/[0-9a-f]{32}/.exec(url)?.[0] ?? "");
    if (status !== 200 || !file) return { status, body: new Blob(["refused"]) };
    if (form) file.content = /** @type {Blob} */ (form.get("file"));
    return { status, body: form ? new Blob() : new Blob([file.content ?? ""], { type: "text/plain" }) };
  }

  /** For `runtime.fetch`. @param {FakeRuntime} runtime @param {number} [ms] that a request takes */
  fetch(runtime, ms = 100) {
    return (/** @type {string} */ url, /** @type {any} */ { method, body = null, signal } = {}) =>
      new Promise((resolve, reject) => {
        const broken = () => reject(new TypeError("fetch failed"));
        signal?.addEventListener("abort", broken);
        runtime.setTimeout(() => {
          const { status, body: content } = this.take(method, url, body);
          if (status === 0) broken();
          else resolve({ status, blob: async () => content });
        }, ms);
      });
  }
}

/** @type {Record<string, (call: Call) => void>} */
export const MEDIA_METHODS = {
  "media.start": ({ server: { media }, params: { kind, name, size }, answer }) => {
    const id = `${media.files.size + 1}`.padStart(32, "0");
    media.files.set(id, { kind, name: name || "file", size, state: "STARTED", content: null });
    const url = `${media.origin}/rtm/media/upload?key=${id}`;
    answer({ media: id, url, fields: { key: id, policy: "p" }, expires_at: 0 });
  },
  "media.finish": ({ server, params, answer }) => {
    const file = server.media.files.get(params.media);
    if (!file?.content || file.state === "ABANDONED") return answer(rpcError(22, "media_not_found"));
    file.state = "READY";
    const { kind, name, size } = file;
    const measures = kind === "IMAGE" ? MEASURES : NO_MEASURES;
    answer({ media: params.media, kind, name, size, type: "text/plain", sha256: "", ...measures, expires_at: 0 });
  },
  "media.abandon": ({ server, params, answer }) => {
    const file = server.media.files.get(params.media);
    if (!file || file.state === "READY") return answer(rpcError(22, "media_not_found"));
    file.state = "ABANDONED";
    answer({});
  },
  "media.url": ({ server: { media, requests }, params, answer }) => {
    if (!media.files.has(params.media)) return answer(rpcError(22, "media_not_found"));
    const url = `${media.origin}/rtm/media/file?key=${params.media}&signature=${requests.length}`;
    answer({ url, type: "text/plain", expires_at: 0 });
  },
};

/** An `XMLHttpRequest` that the test answers: the newest is `FakeXhr.newest`. */
export class FakeXhr {
  /** @type {FakeXhr | null} */
  static newest = null;
  static opened = 0;
  /** @type {{onprogress: ((event: {loaded: number, total: number}) => void) | null}} */
  upload = { onprogress: null };
  /** @type {((event: {loaded: number, total: number}) => void) | null} */
  onprogress = null;
  onloadend = () => {};
  status = 0;
  responseType = "";
  /** @type {Blob | null} */
  response = null;
  /** @type {FormData | null} */
  form = null;
  isAborted = false;
  method = "";
  url = "";

  constructor() {
    FakeXhr.newest = this;
    FakeXhr.opened += 1;
  }

  /** @param {string} method @param {string} url */
  open(method, url) {
    this.method = method;
    this.url = url;
  }

  /** @param {FormData | null} form */
  send(form) {
    this.form = form;
  }

  abort() {
    this.isAborted = true;
    this.onloadend();
  }

  /** So much has passed. @param {number} loaded @param {number} total */
  pass(loaded, total) {
    (this.form ? this.upload : this).onprogress?.({ loaded, total });
  }

  /** The answer is there. @param {{status: number, body: Blob}} answer */
  answer({ status, body }) {
    Object.assign(this, { status, response: body });
    this.onloadend();
  }
}
