// The view Traffic: what all controllers have counted, and how long requests took at this gateway.

import { ask, send } from "./api.js";
import { minus, ofMetrics, ofStats } from "./counts.js";
import { byId, el, fill, money, percent, refill, show, table, time, whole } from "./dom.js";
import { hopNodes } from "./hops.js";

const EVERY_MS = 5000;
let opened = null, before = null, latest = null, timer = 0;

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
    // Counts of a process that began anew can't be taken from each other; of several controllers one may.
    if (!opened || latest.uptimeS < opened.uptimeS || sum(latest.groups, "requests") < sum(opened.groups, "requests")) { opened = latest; before = null; }
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
  const counted = (name) => (since ? minus(latest[name], since[name]) : latest[name]);
  const groups = counted("groups");
  const requests = sum(groups, "requests");
  show(byId("traffic-empty"), requests === 0);
  fill(byId("tiles"), ...tiles(groups, counted("routerCost")));
  refill(byId("traffic-body"), ...(requests ? [groupTable(groups)] : []), ...hopNodes({ durations: counted("durations"), hops: counted("hops") }), ...errorNodes(counted("errors")));
}

function tiles(groups, routerCost) {
  const requests = sum(groups, "requests"), strong = sum(groups, "strong"), errors = sum(groups, "errors");
  const rate = before ? (sum(latest.groups, "requests") - sum(before.groups, "requests")) / ((latest.at - before.at) / 1000) : null;
  const saved = savings(groups);
  const kept = saved.length ? `${saved.map(([amount]) => amount).join(", ")} less than always strong` : "no answer that has a price";
  const only = sum(groups, "decidedOnly");
  const notes = [rate === null ? "" : `${rate.toLocaleString(undefined, { maximumFractionDigits: 1 })} a second now`, only ? `${whole(only)} decided on and not sent` : ""];
  const facts = [
    ["Requests", whole(requests), notes.filter(Boolean).join("; ")],
    ["To strong", requests ? percent(strong / requests) : "–", `${whole(strong)} requests`],
    ["Errors", requests ? percent(errors / requests) : "–", `${whole(errors)} requests`],
    ["Saved", saved.map(([, part]) => part).join(", ") || "–", [kept, routerCost ? `running the router cost ${money(routerCost)}` : ""].filter(Boolean).join("; ")],
    ["Router", requests ? time(sum(groups, "routerS") / requests) : "–", "mean, to the first call of a backend"],
  ];
  return facts.flatMap(([name, figure, note]) => [el("div", { className: "tile" }, el("dt", { textContent: name }), el("dd", {}, el("b", { textContent: figure }), el("small", { textContent: note })))]);
}

// In each currency what wasn't spent, and which part of what always strong would have cost that is.
function savings(groups) {
  const cost = {}, strong = {};
  for (const group of Object.values(groups)) {
    for (const [currency, amount] of Object.entries(group.alwaysStrong)) {
      strong[currency] = (strong[currency] ?? 0) + amount;
      cost[currency] = (cost[currency] ?? 0) + (group.cost[currency] ?? 0);
    }
  }
  return Object.keys(strong).filter((each) => strong[each] > 0).map((each) => [`${money(strong[each] - cost[each])}\u00a0${each}`, percent(1 - cost[each] / strong[each])]);
}

function groupTable(groups) {
  const rows = Object.entries(groups).filter(([, group]) => group.requests).sort((a, b) => b[1].requests - a[1].requests).map(([key, group]) => {
    const [pair, strategy] = JSON.parse(key);
    return [pair || "a named backend", strategy || "none", whole(group.requests), percent(group.strong / group.requests), whole(group.errors), whole(group.tokens),
      savings({ group }).map(([amount, part]) => `${amount} (${part})`).join(", ") || "–", time(group.routerS / group.requests)];
  });
  return table("By pair and strategy, of all controllers", ["Pair", "Strategy", "Requests", "To strong", "Errors", "Tokens", "Saved", "Router, mean"], rows, [2, 3, 4, 5, 6, 7]);
}

function errorNodes(errors) {
  const rows = Object.entries(errors).filter(([, count]) => count).sort((a, b) => b[1] - a[1]).map(([reason, count]) => [reason, whole(count)]);
  return rows.length ? [table("Errors by reason, those before a decision too", ["Reason", "Requests"], rows, [1])] : [];
}
