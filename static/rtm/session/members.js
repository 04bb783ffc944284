/** Who is in a room: notices of joining and leaving are idempotent, snapshots correct what was missed. */

export class Members {
  /** @type {Set<string>} */
  #uids = new Set();
  #count = 0;
  /** Whether all are known by name. */
  #isComplete = true;

  /** @returns {string[]} those who are known by name; in a large room the first 512 */
  get uids() {
    return [...this.#uids];
  }

  /** How many are in the room. */
  get count() {
    return this.#count;
  }

  /**
   * @param {string} uid
   * @returns {boolean} false when that was known
   */
  join(uid) {
    if (this.#uids.has(uid)) return false;
    this.#uids.add(uid);
    this.#count += 1;
    return true;
  }

  /**
   * @param {string} uid
   * @returns {boolean} false when that was known
   */
  leave(uid) {
    if (!this.#uids.delete(uid)) return false;
    this.#count -= 1;
    return true;
  }

  /**
   * @param {number} count as the server counts
   * @returns {boolean} whether it is another
   */
  recount(count) {
    const isOther = count !== this.#count;
    this.#count = count;
    return isOther;
  }

  /**
   * @param {{members: string[], total: number}} snapshot
   * @returns {{joined: string[], left: string[]}} the difference to what was known
   */
  replace({ members, total }) {
    const now = new Set(members);
    const wasComplete = this.#isComplete;
    this.#isComplete = total <= members.length;
    // In a room that is not listed to the end, not being listed does not mean not being there.
    const isKnown = wasComplete && this.#isComplete;
    const joined = isKnown ? members.filter((uid) => !this.#uids.has(uid)) : [];
    const left = isKnown ? this.uids.filter((uid) => !now.has(uid)) : [];
    this.#uids = now;
    this.#count = total;
    return { joined, left };
  }
}
