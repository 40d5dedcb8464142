// Elements made of text: nothing of a caller or a backend is ever read as HTML.

export const byId = (id) => document.getElementById(id);

// An element; `props` are properties (className, textContent, …), `aria-*`/`data-*`/`role`/`for` attributes, or `on…` listeners.
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["role", "for", "scope", "list"].includes(name)) node.setAttribute(name, String(value));
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const hidden = (text) => el("span", { className: "unseen", textContent: text });

// A table with a caption; `columns` are texts, each row's cells texts or nodes, the first of them its heading.
export function table(caption, columns, rows, numeric = []) {
  const kind = (index) => (numeric.includes(index) ? "number" : undefined);
  const head = el("tr", {}, ...columns.map((text, index) => el("th", { scope: "col", className: kind(index) ?? "", textContent: text })));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell, index) =>
    el(index ? "td" : "th", { scope: index ? undefined : "row", className: kind(index) ?? "" }, cell ?? "–"))));
  const made = el("table", {}, el("caption", { textContent: caption }), el("thead", {}, head), el("tbody", {}, ...body));
  // Wide ones scroll by themselves, so that the page never does; what scrolls can be focused.
  return el("div", { className: "scroller", tabIndex: 0, role: "region", "aria-label": caption }, made);
}

export function fill(node, ...children) {
  node.replaceChildren(...children);
}

// The same for what is drawn again and again: what scrolls by itself keeps its place, and the focus where it had it.
export function refill(node, ...children) {
  const regions = () => [...node.querySelectorAll(".scroller")];
  const focused = regions().find((each) => each === document.activeElement)?.ariaLabel;
  const places = new Map(regions().map((each) => [each.ariaLabel, each.scrollLeft]));
  node.replaceChildren(...children);
  for (const each of regions()) {
    each.scrollLeft = places.get(each.ariaLabel) ?? 0;
    if (focused && each.ariaLabel === focused) each.focus({ preventScroll: true });
  }
}

export const show = (node, whether) => { node.hidden = !whether; };

export const fixed = (value, digits = 3) => (value === undefined || value === null ? "–" : Number(value).toFixed(digits));
// A figure and its unit stay on one line.
export const percent = (value) => `${(100 * value).toLocaleString(undefined, { maximumFractionDigits: 1 })}\u00a0%`;
export const money = (amount) => amount.toLocaleString(undefined, Math.abs(amount) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 });
export const time = (seconds, digits = 3) => `${(seconds < 1 ? 1000 * seconds : seconds).toLocaleString(undefined, { maximumSignificantDigits: digits })}\u00a0${seconds < 1 ? "ms" : "s"}`;
export const whole = (value) => Number(value).toLocaleString();

// "mf" of TIER_STRONG is "strong"; of REASON_NOTHING_TO_SCORE "nothing to score".
export const word = (name) => (name ?? "").replace(/^(TIER|REASON)_/, "").replaceAll("_", " ").toLowerCase();

export const tierNode = (tier) => el("span", { className: `tier ${word(tier)}`, textContent: word(tier) });

// Options in groups: [[label, [[value, text], …]], …]; what was chosen stays chosen, and the same ones aren't made again.
export function options(select, groups) {
  const made = JSON.stringify(groups);
  if (select.dataset.made === made) return;
  select.dataset.made = made;
  const chosen = select.value;
  const nodes = groups.filter(([, items]) => items.length).map(([label, items]) =>
    el("optgroup", { label }, ...items.map(([value, text]) => el("option", { value, textContent: text }))));
  fill(select, ...nodes);
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}
