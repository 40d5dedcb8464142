// Where the time goes, hop by hop: means that are exact, and quantiles to a bucket of a histogram.

import { el, table, time, whole } from "./dom.js";
import { beyond, quantile } from "./counts.js";

const KINDS = [["scorer_wait", "Queue for scorers"], ["scoring", "Scoring"], ["first_byte", "Backend's first byte"]];

// Tables: all controllers' hops, then whole requests at the gateway that answers.
export function hopNodes({ groups, durations, hops }) {
  const [wait, scoring, firstByte] = KINDS.map(([kind, said]) => rows(said, durations[kind]));
  const found = [...wait, ...scoring, ...routers(groups), ...firstByte];
  const nodes = [];
  if (found.length) nodes.push(table("By hop, of all controllers", ["Hop", "Of", "Counted", "Mean", "Half within", "95 % within"], found, [2, 3, 4, 5]));
  const own = rows(undefined, hops);
  if (own.length) nodes.push(table("Whole requests at this gateway, from arrival to the last byte", ["Endpoint", "Counted", "Mean", "Half within", "95 % within"], own, [1, 2, 3, 4]));
  if (nodes.length) nodes.push(el("p", { className: "hint", textContent: "Scoring includes the queue, and the router's time includes scoring; of it only the mean is counted. “Within” is interpolated in a histogram's bucket." }));
  return nodes;
}

function rows(said, durations) {
  const found = Object.entries(durations ?? {}).filter(([, each]) => each.count > 0).sort((a, b) => a[0].localeCompare(b[0]));
  return found.map(([name, each]) => [...(said ? [said] : []), name || "none", whole(each.count), time(each.sum / each.count), within(each, 0.5), within(each, 0.95)]);
}

function routers(groups) {
  const found = Object.entries(groups).filter(([, group]) => group.requests > 0).sort((a, b) => b[1].requests - a[1].requests);
  return found.map(([key, group]) => {
    const [pair, strategy] = JSON.parse(key);
    return ["Router, in all", [pair, strategy].filter(Boolean).join(", ") || "none", whole(group.requests), time(group.routerS / group.requests), "–", "–"];
  });
}

const within = (each, share) => {
  if (!Object.keys(each.buckets).length) return "–";
  return (beyond(each, share) ? "over " : "") + time(quantile(each, share), 2);
};
