/**
 * Timers that keep time in a page that is out of sight. Browsers let a hidden page's own timers run once a
 * second, after some minutes once a minute: too seldom for the heartbeat, and the server would take the user
 * for gone. A worker's timers are not slowed.
 */

/** @typedef {import("./runtime.js").Timers} Timers */

/**
 * @param {{postMessage: (message: any) => void, onmessage: any, onerror: any}} worker runs `timer_worker.js`
 * @param {Timers} fallback the page's own timers, used from the moment the worker fails
 * @returns {Timers}
 */
export function workerTimers(worker, fallback) {
  /** @type {Map<number, {callback: () => void, delayMs: number, handle: unknown}>} */
  const pending = new Map();
  let nextId = 0;
  let failed = false;

  /** @param {number} id */
  const fire = (id) => {
    const timer = pending.get(id);
    pending.delete(id);
    timer?.callback();
  };
  worker.onmessage = (/** @type {{data: number}} */ event) => fire(event.data);
  worker.onerror = () => {
    if (failed) return;
    failed = true;
    for (const [id, timer] of pending) timer.handle = fallback.setTimeout(() => fire(id), timer.delayMs);
  };

  return {
    setTimeout(callback, delayMs) {
      const id = nextId++;
      const handle = failed ? fallback.setTimeout(() => fire(id), delayMs) : null;
      pending.set(id, { callback, delayMs, handle });
      if (!failed) worker.postMessage({ id, delayMs });
      return id;
    },
    clearTimeout(id) {
      const timer = pending.get(id);
      if (!timer) return;
      pending.delete(id);
      if (timer.handle !== null) fallback.clearTimeout(timer.handle);
      else if (!failed) worker.postMessage({ id, delayMs: null });
    },
  };
}
