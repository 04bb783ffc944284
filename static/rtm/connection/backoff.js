/** How long to wait before the next attempt: exponential with full jitter, so that a crowd comes back spread. */

const BASE_MS = 500;

export class Backoff {
  #random;
  #capMs;
  /** Since the last success. */
  #attempts = 0;

  /**
   * @param {{random: () => number}} runtime the nth wait is drawn evenly from 0 to `BASE_MS * 2 ** n`, at most `capMs`
   * @param {number} [capMs]
   */
  constructor({ random }, capMs = 15_000) {
    this.#random = random;
    this.#capMs = capMs;
  }

  /**
   * @param {number | null} [givenMs] a wait the server asked for, if not 0: it has spread its clients itself
   * @returns {number} milliseconds
   */
  next(givenMs = null) {
    const ceiling = Math.min(this.#capMs, BASE_MS * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return givenMs || Math.round(this.#random() * ceiling);
  }

  reset() {
    this.#attempts = 0;
  }
}
