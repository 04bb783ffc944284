/** What a login presents: who, with which token, going on from where. */

import { SDK_NAME, SDK_VERSION } from "./terms.js";

export class Identity {
  #options;
  /** @type {string | null} of the newest attempt */
  #tried = null;
  /** @type {string | null} */
  token;
  /** @type {string | null} of the session to go on with */
  session;

  /** @param {import("./terms.js").SessionOptions} options */
  constructor(options) {
    this.#options = options;
    this.token = options.token ?? null;
    this.session = options.session ?? null;
  }

  /** Whether the newest attempt had the token of now. */
  get isTried() {
    return this.#tried === this.token;
  }

  /**
   * @param {Record<string, import("../connection/protocol.js").Cursor>} streams
   * @returns {object} params of `session.login`
   */
  present(streams) {
    const { app, uid, capabilities = [] } = this.#options;
    this.#tried = this.token;
    return {
      app,
      uid,
      token: this.token,
      session: this.session ?? undefined,
      streams,
      client: { sdk: SDK_NAME, version: SDK_VERSION, capabilities },
    };
  }

  /**
   * @param {string} token for the next logins
   * @param {boolean} isOptional one that the server refuses changes nothing
   * @param {() => Promise<void>} show to the server
   * @returns {Promise<void>} rejects as `show` does
   */
  async renew(token, isOptional, show) {
    const previous = this.token;
    this.token = token;
    try {
      await show();
    } catch (error) {
      const isRefused = !(/** @type {import("../connection/errors.js").RtmError} */ (error).retryable);
      if (isOptional && isRefused && this.token === token) this.token = previous;
      throw error;
    }
  }
}
