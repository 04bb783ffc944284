/**
 * Timers that keep time in a page that is out of sight. Browsers let a hidden page's own timers run once a
 * second, after some minutes once a minute: too seldom for the heartbeat, and the server would take the user
 * for gone. A worker's timers are not slowed.
 */

/** @typedef {import("./runtime.js").Timers} Timers */

/** @type {Timers | null} one worker is enough for all sessions of a page */
let shared = null;

/**
 * Kept by a worker, which is started with the first of them; by the page where it may have none, or is none.
 * @param {Timers} own
 * @returns {Timers}
 */
export function steadyTimers(own) {
  return {
    setTimeout: (callback, delayMs) => (shared ??= startWorker(own)).setTimeout(callback, delayMs),
    clearTimeout: (handle) => shared?.clearTimeout(handle),
  };
}

/** @param {Timers} own */
function startWorker(own) {
  if (typeof document === "undefined") return own;
  try {
    // From a text, as the page may have this code in one file with others.
    const url = URL.createObjectURL(new Blob([`(${keepTime})(self)`], { type: "text/javascript" }));
    return workerTimers(new Worker(url), own);
  } catch {
    return own; // there are none, or the page's policy forbids them
  }
}

/**
 * The worker's side: takes `{id, delayMs}`, posts `id` back when the time is over; `delayMs: null` cancels. It stands
 * for itself, as it may be sent as a text.
 * @param {{onmessage: any, postMessage: (id: number) => void}} worker
 */
export function keepTime(worker) {
  /** @type {Record<number, ReturnType<typeof setTimeout>>} no collection, which an old browser's worker may not have */
  const running = {};
  worker.onmessage = (/** @type {{data: {id: number, delayMs: number | null}}} */ { data: { id, delayMs } }) => {
    if (delayMs === null) {
      clearTimeout(running[id]);
      delete running[id];
      return;
    }
    running[id] = setTimeout(() => {
      delete running[id];
      worker.postMessage(id);
    }, delayMs);
  };
}

/**
 * @param {{postMessage: (message: any) => void, onmessage: any, onerror: any}} worker runs `keepTime`
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
