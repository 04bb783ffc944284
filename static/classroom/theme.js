/** Light or dark: the system's, until the reader chooses. A cookie tells the server, so no page flashes. */

const YEAR_S = 365 * 24 * 3600;

/** @param {HTMLElement} button */
export function themeSwitch(button) {
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  button.addEventListener("click", () => {
    const isDark = (root.dataset.theme ?? (systemIsDark.matches ? "dark" : "light")) === "dark";
    const theme = isDark ? "light" : "dark";
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax`;
  });
}
