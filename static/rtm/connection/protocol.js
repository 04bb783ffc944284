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
 * @typedef {object} MediaMessage
 * @property {"FILE" | "IMAGE"} type
 * @property {string} media its id
 * @property {string} [name]
 * @property {string} [description]
 * @property {string} [thumbnail] base64
 * @property {number} [thumbnail_width]
 * @property {number} [thumbnail_height]
 */

/**
 * @typedef {{type: "TEXT", text: string} | {type: "RAW", raw: string, description?: string} | MediaMessage} Message
 * `raw` is base64.
 */

/** @typedef {{seq: number, epoch: string}} Cursor the last entry seen; `epoch` is "" while it is not known */

/**
 * @typedef {object} Incoming a push has a method, an answer an error or a result
 * @property {number | string | null} [id]
 * @property {string} [method]
 * @property {any} [params]
 * @property {any} [result]
 * @property {{code: number, message: string, data?: any}} [error]
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
  const messages = Array.isArray(value) ? value : [value];
  if (messages.every(isIncoming)) return messages;
  throw new SyntaxError();
}

/** @param {any} value */
const isIncoming = (value) =>
  value?.jsonrpc === "2.0" && (typeof value.method === "string" || value.error || ("result" in value && value.id));

/**
 * The length of a text in UTF-8, counted without encoding it. A lone surrogate counts as the three bytes of
 * the replacement character it is sent as.
 * @param {string} text
 * @returns {number} bytes
 */
export function utf8Length(text) {
  let bytes = text.length - 2 * (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) bytes += unit < 0x800 ? 1 : 2;
  }
  return bytes;
}
