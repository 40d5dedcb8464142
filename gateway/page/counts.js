// Counts out of GET /v1/stats and GET /metrics, as nested objects of numbers, so that one can be taken from another.

const RELAYED = new Set(["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "ChatCompletion", "StreamChatCompletion", "Relay", "RelayWhole"]);
const LINE = /^(\w+)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

// {groups: {"pair strategy": counts}, errors: {reason: count}, durations: {kind: {name: durations}}, routerCost, uptimeS}
export function ofStats(stats) {
  const groups = {}, errors = {};
  for (const row of stats.rows) {
    const group = groups[JSON.stringify([row.pair, row.strategy])] ??= { requests: 0, strong: 0, errors: 0, tokens: 0, routerS: 0, decidedOnly: 0, cost: {}, alwaysStrong: {} };
    group.requests += Number(row.requests);
    if (row.tier === "TIER_STRONG") group.strong += Number(row.requests);
    group.errors += Number(row.errors);
    group.decidedOnly += Number(row.decided_only);
    group.tokens += Number(row.usage?.prompt_tokens ?? 0) + Number(row.usage?.completion_tokens ?? 0);
    group.routerS += row.router_s;
    if (row.cost) {
      group.cost[row.cost.currency] = (group.cost[row.cost.currency] ?? 0) + row.cost.amount;
      group.alwaysStrong[row.cost.currency] = (group.alwaysStrong[row.cost.currency] ?? 0) + row.cost.always_strong;
    }
    for (const [reason, count] of Object.entries(row.errors_by_reason)) errors[reason] = (errors[reason] ?? 0) + Number(count);
  }
  for (const [reason, count] of Object.entries(stats.refused)) errors[reason] = (errors[reason] ?? 0) + Number(count);
  const durations = Object.fromEntries(["scoring", "scorer_wait", "first_byte", "router"].map((kind) => [kind, ofDurations(stats[kind] ?? [])]));
  return { groups, errors, durations, routerCost: stats.router_cost, uptimeS: parseFloat(stats.uptime ?? "0") };
}

// {name or "pair, name": {count, sum, buckets: {le: cumulative count}}}
function ofDurations(told) {
  return Object.fromEntries(told.map(({ pair, name, count, sum_s: sum, buckets }) =>
    [[pair, name].filter(Boolean).join(", "), { count: Number(count), sum, buckets: Object.fromEntries(buckets.map((each) => [each.at_most_s, Number(each.count)])) }]));
}

// The same by endpoint, of what is answered by backends and of decisions.
export function ofMetrics(text) {
  const hops = {};
  for (const line of text.split("\n")) {
    if (!line.startsWith("pointsman_gateway_request_seconds_")) continue;
    const [, name, labelled, value] = LINE.exec(line) ?? [];
    const labels = Object.fromEntries([...(labelled ?? "").matchAll(LABEL)].map(([, key, said]) => [key, said]));
    if (!RELAYED.has(labels.endpoint) && !/^(\/v1\/route|Route)/.test(labels.endpoint)) continue;
    const hop = hops[labels.endpoint] ??= { count: 0, sum: 0, buckets: {} };
    if (name.endsWith("_bucket") && labels.le !== "+Inf") hop.buckets[labels.le] = Number(value);
    else if (name.endsWith("_sum")) hop.sum = Number(value);
    else if (name.endsWith("_count")) hop.count = Number(value);
  }
  return hops;
}

// `now` less `before`, number by number.
export function minus(now, before) {
  if (typeof now === "number") return now - (before ?? 0);
  return Object.fromEntries(Object.entries(now).map(([key, value]) => [key, minus(value, before?.[key])]));
}

const edges = (buckets) => Object.entries(buckets).map(([le, held]) => [Number(le), held]).sort((a, b) => a[0] - b[0]);

// The time within which such a share of a histogram's requests were answered, in seconds, interpolated within its bucket; the last edge for more.
export function quantile({ count, buckets }, share) {
  let low = 0, below = 0;
  for (const [edge, held] of edges(buckets)) {
    if (held >= share * count && held > below) return low + ((share * count - below) / (held - below)) * (edge - low);
    [low, below] = [edge, held];
  }
  return low;
}

// Whether that share is past the last edge, so that no more is known.
export const beyond = ({ count, buckets }, share) => (edges(buckets).pop()?.[1] ?? 0) < share * count;
