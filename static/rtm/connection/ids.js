/** Message ids: UUIDv7 (RFC 9562), which sort by the time they were made, so that the server's index stays local. */

const COUNTER_LIMIT = 0x1000;

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
    const time = lastMs.toString(16).padStart(12, "0");
    const version = (0x7000 | counter).toString(16);
    const variant = ((0x80 | (bytes[2] & 0x3f)) << 8 | bytes[3]).toString(16);
    const node = Array.from(bytes.subarray(4), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}-${node}`;
  };
}
