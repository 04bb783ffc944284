/** The log: to the console by level, and to the server in batches where the application asks for it. No bodies. */

import { utf8Length } from "../connection/protocol.js";
import { SDK_VERSION } from "../session/session.js";
import { logFilter } from "./flavours.js";

/** @typedef {import("./flavours.js").LogFilter} LogFilter */
/** @typedef {import("../connection/runtime.js").Runtime & {fetch?: typeof fetch}} ApiRuntime */
/** @typedef {{enableLogUpload?: boolean, logFilter?: LogFilter | number}} LogConfig */

/** A batch with all around it stays under 64 KB. */
const BATCH_BYTES = 60_000;
const BATCH_MS = 30_000;
const LINE_LENGTH = 1000;
let instances = 0;

/**
 * The server behind a failing network is asked as little as a page that does not want it: errors are not told.
 * @param {ApiRuntime} runtime
 * @param {string} url
 * @param {RequestInit} [init]
 */
export const request = (runtime, url, init) => (runtime.fetch ?? globalThis.fetch)(url, init);

export class Log {
  #runtime;
  #app;
  #server;
  #name = `RTM#${++instances}`;
  /** @type {LogFilter} */
  #filter = logFilter(2);
  #isUploaded = false;
  /** @type {string[]} as JSON */
  #lines = [];
  #bytes = 0;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {ApiRuntime} runtime
   * @param {string} app
   * @param {() => string} server its address; may throw while there is none
   */
  constructor(runtime, app, server) {
    this.#runtime = runtime;
    this.#app = app;
    this.#server = server;
  }

  /** @param {LogConfig} config what is absent stays */
  configure({ enableLogUpload = this.#isUploaded, logFilter: filter = this.#filter }) {
    this.#isUploaded = enableLogUpload;
    this.#filter = typeof filter === "number" ? logFilter(filter) : filter;
  }

  /**
   * @param {"error" | "warn" | "info" | "debug"} level
   * @param {string} text
   */
  write(level, text) {
    if (this.#filter[level]) console[level](this.#name, text);
    if (!this.#isUploaded || level === "debug") return;
    const line = JSON.stringify({ ts: this.#runtime.wallNow(), level, text: text.slice(0, LINE_LENGTH) });
    const bytes = utf8Length(line) + 1;
    if (this.#bytes + bytes > BATCH_BYTES) this.upload();
    this.#lines.push(line);
    this.#bytes += bytes;
    this.#timer ??= this.#runtime.setTimeout(() => this.upload(), BATCH_MS);
  }

  /** Sends what there is, at most once: a log is not worth a retry. */
  upload() {
    const body = `{"app":"${this.#app}","version":"${SDK_VERSION}","lines":[${this.#lines}]}`;
    const isEmpty = this.#lines.length === 0;
    this.#runtime.clearTimeout(this.#timer);
    this.#timer = null;
    this.#lines = [];
    this.#bytes = 0;
    if (isEmpty) return;
    const headers = { "content-type": "application/json" };
    const sending = async () => request(this.#runtime, `${this.#server()}/rtm/logs`, { method: "POST", headers, body });
    sending().catch(() => {});
  }
}
