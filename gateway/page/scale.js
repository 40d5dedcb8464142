// Every strategy's win rate on one scale from 0 to 1, its calibrated thresholds as ticks, and the threshold that is chosen.

import { el, fill, fixed, hidden, percent, word } from "./dom.js";
import { shares } from "./listing.js";

const narrow = matchMedia("(max-width: 34rem)");
const labelGap = () => (narrow.matches ? 0.15 : 0.06); // of the scale, between two ticks that both have their number

const at = (node, value) => { node.style.left = `${100 * value}%`; return node; };

export class Scale {
  constructor(node) {
    this.node = node;
    this.rows = new Map();
  }

  // One row for each strategy, without a win rate as yet.
  begin(names) {
    this.rows = new Map(names.map((name) => [name, this.row(name)]));
    const axis = el("div", { className: "row axis", "aria-hidden": "true" }, el("span"),
      el("div", { className: "numbers" }, ...[0, 0.25, 0.5, 0.75, 1].map((value) => at(el("span", { textContent: String(value) }), value))), el("span"));
    const list = el("ul", { className: "rows" }, ...[...this.rows.values()].map((row) => row.node));
    fill(this.node, axis, list, el("p", { className: "hint", textContent: "Ticks: calibrated thresholds, by the strong share in per cent. Line: the threshold chosen. Strong from the line on." }));
  }

  row(name) {
    const track = el("div", { className: "track", "aria-hidden": "true" });
    let labelled = -1;
    const known = shares(name).filter(([share]) => share > 0 && share < 1).sort((a, b) => a[1] - b[1]);
    for (const [share, threshold] of known) {
      const shows = threshold - labelled >= labelGap();
      if (shows) labelled = threshold;
      const text = shows ? String(Number((100 * share).toFixed(1))) : "";
      track.append(at(el("span", { className: "tick", title: `${percent(share)} strong: ${fixed(threshold)}` }, el("small", { textContent: text })), threshold));
    }
    const line = el("span", { className: "line-mark", hidden: true });
    const dot = el("span", { className: "dot", hidden: true });
    track.append(line, dot);
    const value = el("span", { className: "figure", textContent: "…" });
    const ticks = known.map(([share, threshold]) => `${percent(share)} strong at ${fixed(threshold)}`).join(", ");
    const node = el("li", { className: "row" }, el("span", { className: "name", textContent: name }), track, value,
      hidden(ticks ? ` Calibrated: ${ticks}.` : " Not calibrated."));
    return { node, line, dot, value };
  }

  // How long a strategy that hasn't answered has taken.
  waiting(name, seconds) {
    const row = this.rows.get(name);
    if (row) row.value.textContent = `${seconds.toFixed(1)} s …`;
    row?.node.classList.add("waits");
  }

  // A win rate, or why there is none.
  set(name, winRate, why = "") {
    const row = this.rows.get(name);
    if (!row) return;
    row.node.classList.remove("waits");
    row.node.classList.toggle("failed", winRate === undefined);
    row.dot.hidden = winRate === undefined;
    if (winRate !== undefined) at(row.dot, winRate);
    row.value.textContent = winRate === undefined ? word(why) : fixed(winRate);
  }

  // The threshold of the strategy that is routed by; none for another.
  aim(name, threshold) {
    for (const [each, row] of this.rows) {
      row.line.hidden = each !== name || threshold === undefined;
      row.node.classList.toggle("chosen", each === name);
      if (!row.line.hidden) at(row.line, threshold);
    }
  }
}
