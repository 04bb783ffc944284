/** Tells a session when the page or the network comes back, so that nobody waits for a timer. */

/** What says so, on the page, or the worker, or on its document. */
const NAMES = ["online", "pageshow", "resume", "visibilitychange"];

/**
 * @param {{wake: () => void}} session
 * @param {EventTarget & {document?: EventTarget & {visibilityState: string}}} [page] a worker has no document
 * @returns {() => void} stops watching
 */
export function watchPage(session, page = globalThis) {
  const { document } = page;
  const wake = (/** @type {Event} */ event) => {
    if (event.type !== "visibilitychange" || document?.visibilityState === "visible") session.wake();
  };
  const each = (/** @type {"addEventListener" | "removeEventListener"} */ act) => {
    for (const target of [page, document]) for (const name of NAMES) target?.[act](name, wake);
  };
  each("addEventListener");
  return () => each("removeEventListener");
}
