/**
 * The worker of `timers.js`: takes `{id, delayMs}`, posts `id` back when the time is over; `delayMs: null`
 * cancels. A classic worker script, so that old browsers run it too.
 */
(() => {
  /** @type {Map<number, ReturnType<typeof setTimeout>>} */
  const running = new Map();
  self.onmessage = ({ data: { id, delayMs } }) => {
    if (delayMs === null) {
      clearTimeout(running.get(id));
      running.delete(id);
      return;
    }
    running.set(
      id,
      setTimeout(() => {
        running.delete(id);
        self.postMessage(id);
      }, delayMs),
    );
  };
})();
