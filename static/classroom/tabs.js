/** Tabs of a narrow page: one tab stop, arrow keys move; on a wide page all panes are in sight. */

/**
 * @param {HTMLElement} list
 * @param {(tab: HTMLElement) => void} [chosen]
 */
export function tabs(list, chosen = () => {}) {
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
  /** @param {HTMLElement} tab */
  const choose = (tab) => {
    for (const other of all) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      const pane = document.getElementById(other.getAttribute("aria-controls") ?? "");
      pane?.classList.toggle("is-chosen", other === tab);
    }
    chosen(tab);
  };
  for (const [index, tab] of all.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = all[(index + step + all.length) % all.length];
      choose(next);
      next.focus();
    });
  }
}
