// Where the time goes, hop by hop: means that are exact, and quantiles to a bucket of a histogram.

import { el, table, time, whole } from "./dom.js";
import { beyond, quantile } from "./counts.js";

const KINDS = [["scorer_wait", "Queue for scorers"], ["scoring", "Scoring"], ["router", "Router, in all"], ["first_byte", "Backend's first byte"]];
const WITHIN = ["Half within", "95 % within", "99 % within"], SHARES = [0.5, 0.95, 0.99];

// Tables: all controllers' hops, then whole requests at the gateway that answers.
export function hopNodes({ durations, hops }) {
  const found = KINDS.flatMap(([kind, said]) => rows(said, durations[kind]));
  const nodes = [];
  if (found.length) nodes.push(table("By hop, of all controllers", ["Hop", "Of", "Counted", "Mean", ...WITHIN], found, [2, 3, 4, 5, 6]));
  const own = rows(undefined, hops);
  if (own.length) nodes.push(table("Whole requests at this gateway, from arrival to the last byte", ["Endpoint", "Counted", "Mean", ...WITHIN], own, [1, 2, 3, 4, 5]));
  if (nodes.length) nodes.push(el("p", { className: "hint", textContent: "Scoring includes the queue, and the router's time includes scoring. “Within” is interpolated in a histogram's bucket." }));
  return nodes;
}

function rows(said, durations) {
  const found = Object.entries(durations ?? {}).filter(([, each]) => each.count > 0).sort((a, b) => a[0].localeCompare(b[0]));
  return found.map(([name, each]) => [...(said ? [said] : []), name || "none", whole(each.count), time(each.sum / each.count), ...SHARES.map((share) => within(each, share))]);
}

const within = (each, share) => {
  if (!Object.keys(each.buckets).length) return "–";
  return (beyond(each, share) ? "over " : "") + time(quantile(each, share), 2);
};
