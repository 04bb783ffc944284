/** The log: to the console by level, and to the server in batches where the application asks for it. No bodies. */

import { utf8Length } from "../connection/protocol.js";
import { request } from "../connection/runtime.js";
import { SDK_NAME, SDK_VERSION } from "../session/terms.js";
import { logFilter } from "./flavours.js";

/** @typedef {import("./flavours.js").LogFilter} LogFilter */
/** @typedef {import("../connection/runtime.js").Runtime} Runtime */
/** @typedef {{enableLogUpload?: boolean, logFilter?: LogFilter | number}} LogConfig */

/** With a token and all else around it a batch stays under 64 KB. */
const BATCH_BYTES = 60_000;
const BATCH_MS = 30_000;
const LINE_LENGTH = 1000;
/** Of a character that was cut in two: the server takes no such text. */
const HALF = /[\ud800-\udbff]$/;
let instances = 0;

export class Log {
  #runtime;
  #server;
  #sender;
  #isLive;
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
   * @param {Runtime} runtime
   * @param {() => string} server its address; may throw while there is none
   * @param {() => object | null} sender in whose name it is sent: App ID, uid and token
   * @param {() => boolean} isLive else nothing is sent by itself, and no timer keeps the program
   */
  constructor(runtime, server, sender, isLive) {
    this.#runtime = runtime;
    this.#server = server;
    this.#sender = sender;
    this.#isLive = isLive;
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
    const start = text.slice(0, LINE_LENGTH).replace(HALF, "");
    const line = JSON.stringify({ ts: this.#runtime.wallNow(), level, text: start });
    const bytes = utf8Length(line) + 1;
    if (this.#bytes + bytes > BATCH_BYTES) this.upload();
    this.#lines.push(line);
    this.#bytes += bytes;
    if (this.#isLive()) this.#timer ??= this.#runtime.setTimeout(() => this.upload(), BATCH_MS);
  }

  /** Sends what there is, once: a log is not worth a retry. Nobody's log is not taken. */
  upload() {
    const batch = this.#lines.join(",");
    this.#runtime.clearTimeout(this.#timer);
    this.#timer = null;
    this.#lines = [];
    this.#bytes = 0;
    const sender = this.#sender();
    if (batch === "" || !sender) return;
    const head = JSON.stringify({ ...sender, sdk: SDK_NAME, version: SDK_VERSION });
    const headers = { "content-type": "application/json" };
    const body = `${head.slice(0, -1)},"lines":[${batch}]}`;
    const send = async () => request(this.#runtime, `${this.#server()}/rtm/logs`, { method: "POST", headers, body });
    send().catch(() => {});
  }
}
