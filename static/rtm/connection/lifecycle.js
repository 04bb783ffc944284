/** Tells a session when the page or the network comes back, so that nobody waits for a timer. */

/**
 * @param {{window: EventTarget, document: EventTarget & {visibilityState: string}}} page
 * @param {{wake: () => void}} session
 * @returns {() => void} stops watching
 */
export function watchPage({ window, document }, session) {
  const wake = () => session.wake();
  const wakeIfVisible = () => {
    if (document.visibilityState === "visible") session.wake();
  };
  window.addEventListener("online", wake);
  window.addEventListener("pageshow", wake);
  document.addEventListener("resume", wake);
  document.addEventListener("visibilitychange", wakeIfVisible);
  return () => {
    window.removeEventListener("online", wake);
    window.removeEventListener("pageshow", wake);
    document.removeEventListener("resume", wake);
    document.removeEventListener("visibilitychange", wakeIfVisible);
  };
}
