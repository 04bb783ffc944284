/** How examples print: texts as they are, everything else as one would write it. */

/** @param {unknown[]} args of `console.log` @returns {string} */
export const format = (args) => args.map((value) => (typeof value === "string" ? value : inspect(value))).join(" ");

/** @param {any} value @returns {string} */
function inspect(value) {
  if (value instanceof Uint8Array) return `Uint8Array ${inspect([...value])}`;
  if (Array.isArray(value)) return `[${value.map(inspect).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined";
  const members = Object.entries(value).map(([key, each]) => `${/^\w+$/.test(key) ? key : `"${key}"`}: ${inspect(each)}`);
  return members.length > 0 ? `{ ${members.join(", ")} }` : "{}";
}
