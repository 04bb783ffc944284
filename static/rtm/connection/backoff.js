/** How long to wait before the next attempt: exponential with full jitter, so that a crowd comes back spread. */

export class Backoff {
  #random;
  #baseMs;
  #capMs;
  /** Since the last success. */
  #attempts = 0;

  /**
   * @param {{random: () => number, baseMs?: number, capMs?: number}} options
   *   the nth wait is drawn evenly from 0 to `baseMs * 2 ** n`, at most `capMs`
   */
  constructor({ random, baseMs = 500, capMs = 15_000 }) {
    this.#random = random;
    this.#baseMs = baseMs;
    this.#capMs = capMs;
  }

  /**
   * @param {number | null} [givenMs] a wait the server asked for, if not 0: it has spread its clients itself
   * @returns {number} milliseconds
   */
  next(givenMs = null) {
    const ceiling = Math.min(this.#capMs, this.#baseMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return givenMs || Math.round(this.#random() * ceiling);
  }

  reset() {
    this.#attempts = 0;
  }
}
