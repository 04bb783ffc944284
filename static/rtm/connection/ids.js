/** Message ids: UUIDv7 (RFC 9562), which sort by the time they were made, so that the server's index stays local. */

const COUNTER_LIMIT = 0x1000;

/** @param {number} value @param {number} digits */
const hex = (value, digits) => value.toString(16).padStart(digits, "0");

/**
 * @param {{wallNow: () => number, randomBytes: (length: number) => Uint8Array}} source
 * @returns {() => string} each id is greater than the one before, also when the clock stands or goes back
 */
export function createIdMaker({ wallNow, randomBytes }) {
  let lastMs = -1;
  let counter = 0;
  return () => {
    const bytes = randomBytes(10);
    const nowMs = Math.max(Math.floor(wallNow()), lastMs);
    if (nowMs > lastMs) {
      // Half of the counter's range is left for ids of the same millisecond.
      counter = ((bytes[0] << 8) | bytes[1]) & 0x7ff;
      lastMs = nowMs;
    } else if (++counter === COUNTER_LIMIT) {
      counter = 0;
      lastMs += 1;
    }
    bytes[2] = 0x80 | (bytes[2] & 0x3f);
    const rest = Array.from(bytes.subarray(2), (byte) => hex(byte, 2)).join("");
    return `${hex(lastMs, 12)}${hex(0x7000 | counter, 4)}${rest}`.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
}
