/**
 * The envelope: JSON-RPC 2.0 in text frames, one message or a batch array in a frame, both ways
 * (docs/protocol.md). Nothing here knows a method.
 */

/**
 * @typedef {object} Entry an entry of a stream, as pushed or read
 * @property {string} stream
 * @property {number} seq 1, 2, 3... within its stream, without gaps
 * @property {string} event "room.sent", "room.attributes_changed"
 * @property {string} sender uid
 * @property {string} message_id the sender's own id of it
 * @property {number} ts milliseconds, the server's clock
 * @property {any} body
 */

/**
 * @typedef {{type: "TEXT", text: string} | {type: "RAW", raw: string, description?: string}} Message
 * `raw` is base64.
 */

/** @typedef {{seq: number, epoch: string}} Cursor the last entry seen; `epoch` is "" while it is not known */

/**
 * @typedef {(
 *   {kind: "push", method: string, params: any} |
 *   {kind: "result", id: number | string, result: any} |
 *   {kind: "error", id: number | string | null, error: {code: number, message: string, data: any}}
 * )} Incoming
 */

/**
 * @param {string} method
 * @param {object} params
 * @param {number} [id] absent: a notification, which is not answered
 * @returns {string} one frame, as UTF-8 can have it: half a character is the replacement character
 */
export function encodeRequest(method, params, id) {
  // `id` is left out where it is undefined. Of surrogates only lone ones are written as escapes; each escape is taken
  // as a whole, so that a backslash in a text is none of them.
  return JSON.stringify({ jsonrpc: "2.0", id, method, params }).replace(/\\(ud[89a-f]..|.)/g, (escape, { length }) =>
    length > 1 ? "\ufffd" : escape,
  );
}

/**
 * @param {string} frame
 * @returns {Incoming[]} in the order of the frame
 * @throws {SyntaxError} the frame is no JSON, or not of this protocol
 */
export function decodeFrame(frame) {
  const value = JSON.parse(frame);
  return Array.isArray(value) ? value.map(decodeMessage) : [decodeMessage(value)];
}

/**
 * @param {any} value
 * @returns {Incoming}
 */
function decodeMessage(value) {
  if (value !== null && typeof value === "object" && value.jsonrpc === "2.0") {
    if (typeof value.method === "string") return { kind: "push", method: value.method, params: value.params ?? {} };
    if (value.error && typeof value.error.code === "number") {
      const { code, message = "", data = {} } = value.error;
      return { kind: "error", id: value.id ?? null, error: { code, message, data } };
    }
    if ("result" in value && value.id != null) return { kind: "result", id: value.id, result: value.result };
  }
  throw new SyntaxError("not JSON-RPC 2.0");
}

/**
 * The length of a text in UTF-8, counted without encoding it. A lone surrogate counts as the three bytes of
 * the replacement character it is sent as.
 * @param {string} text
 * @returns {number} bytes
 */
export function utf8Length(text) {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      bytes += 1;
    } else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 2;
      index += 1;
    } else {
      bytes += 2;
    }
  }
  return bytes;
}

/** @param {number} unit a UTF-16 code unit, NaN past the end */
function isLowSurrogate(unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}
