/**
 * What has come in and is not handed on yet: frame by frame, message by message, in slices (pace.js). The end of the
 * connection comes behind what came before it.
 */

import { Pace } from "./pace.js";
import { decodeFrame, utf8Length } from "./protocol.js";

/**
 * @typedef {object} InboundHandlers
 * @property {(message: import("./protocol.js").Incoming) => void} take
 * @property {() => void} frameEnded everything of a frame was handed on
 * @property {(code: number) => void} closed
 */

export class Inbound {
  #handlers;
  /** @type {{messages: import("./protocol.js").Incoming[], next: number, bytes: number}[]} */
  #frames = [];
  /** @type {number | null} the code the socket was closed with */
  #closeCode = null;
  #bytes = 0;
  pace;

  /**
   * @param {import("./runtime.js").Runtime} runtime
   * @param {InboundHandlers} handlers
   */
  constructor(runtime, handlers) {
    this.#handlers = handlers;
    this.pace = new Pace(runtime, () => this.#step());
  }

  /** Bytes (UTF-8) of the frames that were handed on. */
  get bytes() {
    return this.#bytes;
  }

  /**
   * @param {string} frame handed on by `pace.run`
   * @throws {SyntaxError} it is not of this protocol
   */
  add(frame) {
    this.#frames.push({ messages: decodeFrame(frame), next: 0, bytes: utf8Length(frame) });
  }

  /** @param {number} code */
  close(code) {
    this.#closeCode = code;
    this.pace.run();
  }

  #step() {
    const frame = this.#frames[0];
    if (!frame) {
      if (this.#closeCode !== null) this.#handlers.closed(this.#closeCode);
      return false;
    }
    if (frame.next < frame.messages.length) {
      this.#handlers.take(frame.messages[frame.next++]);
      return true;
    }
    this.#frames.shift();
    this.#bytes += frame.bytes;
    this.#handlers.frameEnded();
    return true;
  }
}
