/** Making nodes, without a line of HTML in a string. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | boolean>} [attributes] false: absent
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/**
 * @param {string} name as in the page's sheet of icons, without "i-"
 * @param {string} [more] further classes
 */
export function icon(name, more = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `i ${more}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T} of the page's own markup, so it is there
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (node);
}

/** What an address in a text ends before. */
const ADDRESS = /https?:\/\/[^\s<>"'，。；：！？（）《》]*[^\s<>"'，。；：！？（）《》.,;:!?)\]}]/gu;

/**
 * @param {string} text
 * @returns {(Node | string)[]} the text, its addresses as links
 */
export function withLinks(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    parts.push(text.slice(end, match.index));
    parts.push(make("a", { href: match[0], target: "_blank", rel: "noopener noreferrer nofollow" }, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

/**
 * Makes the children of a list these, with as few changes as it takes: a node whose row is the same stays as it
 * is, with what is focused or selected in it.
 * @template {{key: string}} Row
 * @param {HTMLElement} list
 * @param {Row[]} rows
 * @param {Map<string, {content: string, node: HTMLElement}>} drawn what the list holds; kept by the caller
 * @param {(row: Row, before: HTMLElement | null) => HTMLElement} draw `before` is the row's node so far, which
 *   may be changed and returned
 */
export function reconcile(list, rows, drawn, draw) {
  const keys = new Set(rows.map(({ key }) => key));
  for (const [key, { node }] of [...drawn]) {
    if (keys.has(key)) continue;
    node.remove();
    drawn.delete(key);
  }
  let next = list.firstElementChild;
  for (const row of rows) {
    const content = JSON.stringify(row);
    const known = drawn.get(row.key);
    const node = known?.content === content ? known.node : draw(row, known?.node ?? null);
    if (known && known.node !== node) {
      if (known.node === next) next = node;
      known.node.replaceWith(node);
    }
    if (node === next) next = node.nextElementSibling;
    else list.insertBefore(node, next);
    drawn.set(row.key, { content, node });
  }
}
