/** Tells a session when the page or the network comes back, so that nobody waits for a timer. */

/** What says so: on the page, or the worker, and on its document. */
const ON_PAGE = ["online", "pageshow"];
const ON_DOCUMENT = ["resume", "visibilitychange"];

/**
 * @param {{wake: () => void}} session
 * @param {{page?: EventTarget, document?: EventTarget & {visibilityState: string}}} [surroundings] a worker has no
 *   document
 * @returns {() => void} stops watching
 */
export function watchPage(session, { page = globalThis, document = globalThis.document } = {}) {
  const wake = (/** @type {Event} */ event) => {
    if (event.type !== "visibilitychange" || document?.visibilityState === "visible") session.wake();
  };
  for (const name of ON_PAGE) page.addEventListener(name, wake);
  for (const name of ON_DOCUMENT) document?.addEventListener(name, wake);
  return () => {
    for (const name of ON_PAGE) page.removeEventListener(name, wake);
    for (const name of ON_DOCUMENT) document?.removeEventListener(name, wake);
  };
}
