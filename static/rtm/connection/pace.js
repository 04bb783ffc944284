/**
 * Work in slices: what came in one frame may be a thousand messages, each handed to the application. That goes on
 * for some milliseconds, then the page may draw and hear its user, then it goes on where it was.
 */

const SLICE_MS = 8;

export class Pace {
  #runtime;
  #step;
  /** @type {(() => void)[]} */
  #detours = [];
  #until = 0;
  #isRunning = false;
  #isResting = false;
  #isStopped = false;

  /**
   * @param {import("./runtime.js").Runtime} runtime
   * @param {() => boolean} step does the next piece of work; false when there is none
   */
  constructor(runtime, step) {
    this.#runtime = runtime;
    this.#step = step;
  }

  /** Whether this slice's time is over: who has more to do makes a `detour`. */
  get isOver() {
    return this.#isRunning && this.#runtime.monotonicNow() >= this.#until;
  }

  /** @param {() => void} work done before the next step */
  detour(work) {
    this.#detours.push(work);
  }

  /** Ends this slice: what is left goes on in a task of its own, when all promises settled so far were heard. */
  rest() {
    this.#until = 0;
  }

  /** There is something to do, now or when the slice that comes next is there. */
  run() {
    if (this.#isRunning || this.#isResting) return;
    this.#isRunning = true;
    this.#until = this.#runtime.monotonicNow() + SLICE_MS;
    try {
      while (!this.#isStopped) {
        if (this.isOver) {
          this.#isResting = true;
          this.#runtime.soon(() => {
            this.#isResting = false;
            this.run();
          });
          break;
        }
        const detour = this.#detours.shift();
        if (detour) detour();
        else if (!this.#step()) break;
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** For good. */
  stop() {
    this.#isStopped = true;
  }
}
