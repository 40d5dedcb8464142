// The view Traffic: what all controllers have counted, and how long requests took at this gateway.

import { ask, send } from "./api.js";
import { isRelayed, minus, ofMetrics, ofStats, quantile } from "./counts.js";
import { byId, el, fill, percent, refill, show, table, whole } from "./dom.js";

const EVERY_MS = 5000;
let opened = null, before = null, latest = null, timer = 0;

const ms = (seconds) => `${(1000 * seconds).toLocaleString(undefined, { maximumFractionDigits: 1 })} ms`;
const sum = (groups, name) => Object.values(groups).reduce((all, group) => all + group[name], 0);

export function startTraffic() {
  byId("traffic-since").addEventListener("change", draw);
  const visible = () => !byId("traffic").hidden && !document.hidden;
  const again = () => { clearTimeout(timer); if (visible()) look(); };
  addEventListener("hashchange", again);
  addEventListener("pointsman-key-changed", () => { [opened, before, latest] = [null, null, null]; again(); });
  document.addEventListener("visibilitychange", again);
  async function look() {
    await update();
    clearTimeout(timer);
    if (visible()) timer = setTimeout(look, EVERY_MS);
  }
  again();
}

async function update() {
  try {
    const [stats, metrics] = await Promise.all([ask("v1/stats"), send("metrics").then((response) => response.text())]);
    before = latest;
    latest = { ...ofStats(stats), hops: ofMetrics(metrics), at: performance.now(), controllers: stats.controllers };
    // Counts of a process that began anew can't be taken from each other.
    if (!opened || latest.uptimeS < opened.uptimeS) { opened = latest; before = null; }
    byId("traffic-error").textContent = "";
    draw();
  } catch (error) {
    byId("traffic-error").textContent = error.status === 403
      ? "Your key may not see traffic: it needs admin: true in the keys file."
      : `${error.words ?? "The counts can't be read."}${latest ? " What stands here is older." : ""}`;
  }
}

function draw() {
  if (!latest) return;
  const since = byId("traffic-since").value === "opened" ? opened : null;
  const groups = since ? minus(latest.groups, since.groups) : latest.groups;
  const errors = since ? minus(latest.errors, since.errors) : latest.errors;
  const hops = since ? minus(latest.hops, since.hops) : latest.hops;
  const requests = sum(groups, "requests");
  show(byId("traffic-empty"), requests === 0);
  fill(byId("tiles"), ...tiles(groups, since ? latest.routerCost - since.routerCost : latest.routerCost));
  refill(byId("traffic-body"), ...(requests ? [groupTable(groups)] : []), ...hopNodes(hops, groups), ...errorNodes(errors));
}

function tiles(groups, routerCost) {
  const requests = sum(groups, "requests"), strong = sum(groups, "strong"), errors = sum(groups, "errors");
  const rate = before ? (sum(latest.groups, "requests") - sum(before.groups, "requests")) / ((latest.at - before.at) / 1000) : null;
  const only = sum(groups, "decidedOnly");
  const notes = [rate === null ? "" : `${rate.toLocaleString(undefined, { maximumFractionDigits: 1 })} a second now`, only ? `${whole(only)} decided on and not sent` : ""];
  const facts = [
    ["Requests", whole(requests), notes.filter(Boolean).join("; ")],
    ["To strong", requests ? percent(strong / requests) : "–", `${whole(strong)} requests`],
    ["Errors", requests ? percent(errors / requests) : "–", `${whole(errors)} requests`],
    ["Saved", savings(groups).join(", ") || "–", routerCost ? `running the router cost ${routerCost.toPrecision(3)}` : "against always strong"],
    ["Router", requests ? ms(sum(groups, "routerS") / requests) : "–", "mean, to the first call of a backend"],
  ];
  return facts.flatMap(([name, figure, note]) => [el("div", { className: "tile" }, el("dt", { textContent: name }), el("dd", {}, el("b", { textContent: figure }), el("small", { textContent: note })))]);
}

// In each currency what wasn't spent, and its part of what always strong would have cost.
function savings(groups) {
  const cost = {}, strong = {};
  for (const group of Object.values(groups)) {
    for (const [currency, amount] of Object.entries(group.alwaysStrong)) {
      strong[currency] = (strong[currency] ?? 0) + amount;
      cost[currency] = (cost[currency] ?? 0) + (group.cost[currency] ?? 0);
    }
  }
  return Object.keys(strong).filter((each) => strong[each] > 0).map((each) => `${(strong[each] - cost[each]).toPrecision(3)} ${each} (${percent(1 - cost[each] / strong[each])})`);
}

function groupTable(groups) {
  const rows = Object.entries(groups).filter(([, group]) => group.requests).sort((a, b) => b[1].requests - a[1].requests).map(([key, group]) => {
    const [pair, strategy] = JSON.parse(key);
    return [pair || "a named backend", strategy || "none", whole(group.requests), percent(group.strong / group.requests), whole(group.errors), whole(group.tokens),
      savings({ group }).join(", ") || "–", ms(group.routerS / group.requests)];
  });
  return table("By pair and strategy, of all controllers", ["Pair", "Strategy", "Requests", "To strong", "Errors", "Tokens", "Saved", "Router, mean"], rows, [2, 3, 4, 5, 6, 7]);
}

function hopNodes(hops, groups) {
  const found = Object.entries(hops).filter(([, hop]) => hop.count > 0);
  if (!found.length) return [];
  const rows = found.map(([endpoint, hop]) => [endpoint, whole(hop.count), ms(hop.sum / hop.count), ms(quantile(hop, 0.5)), ms(quantile(hop, 0.95))]);
  const relayed = found.filter(([endpoint]) => isRelayed(endpoint)).map(([, hop]) => hop);
  const count = relayed.reduce((all, hop) => all + hop.count, 0);
  const requests = sum(groups, "requests");
  const nodes = [table("Whole requests at this gateway, from arrival to the last byte", ["Endpoint", "Requests", "Mean", "Half within", "95 % within"], rows, [1, 2, 3, 4])];
  if (count && requests) {
    const mean = relayed.reduce((all, hop) => all + hop.sum, 0) / count, router = sum(groups, "routerS") / requests;
    nodes.push(table("By hop, means of answered requests", ["Hop", "Time"], [["Scoring and deciding", ms(router)], ["Backend, and the caller taking the answer (the rest, about)", ms(Math.max(0, mean - router))]], [1]));
  }
  return nodes;
}

function errorNodes(errors) {
  const rows = Object.entries(errors).filter(([, count]) => count).sort((a, b) => b[1] - a[1]).map(([reason, count]) => [reason, whole(count)]);
  return rows.length ? [table("Errors by reason, those before a decision too", ["Reason", "Requests"], rows, [1])] : [];
}
