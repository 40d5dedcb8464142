// Counts out of GET /v1/stats and GET /metrics, as nested objects of numbers, so that one can be taken from another.

const RELAYED = new Set(["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "ChatCompletion", "StreamChatCompletion", "Relay", "RelayWhole"]);
const LINE = /^(\w+)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

// {groups: {"pair strategy": counts}, errors: {reason: count}, routerCost, uptimeS}
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
  return { groups, errors, routerCost: stats.router_cost, uptimeS: parseFloat(stats.uptime ?? "0") };
}

// {endpoint: {count, sum, buckets: {le: cumulative count}}} of what is answered by backends and of decisions.
export function ofMetrics(text) {
  const hops = {};
  for (const line of text.split("\n")) {
    if (!line.startsWith("pointsman_gateway_request_seconds_")) continue;
    const [, name, labelled, value] = LINE.exec(line) ?? [];
    const labels = Object.fromEntries([...(labelled ?? "").matchAll(LABEL)].map(([, key, said]) => [key, said]));
    if (!RELAYED.has(labels.endpoint) && !/^(\/v1\/route|Route)/.test(labels.endpoint)) continue;
    const hop = hops[labels.endpoint] ??= { count: 0, sum: 0, buckets: {} };
    if (name.endsWith("_bucket")) hop.buckets[labels.le] = Number(value);
    else if (name.endsWith("_sum")) hop.sum = Number(value);
    else if (name.endsWith("_count")) hop.count = Number(value);
  }
  return hops;
}

export const isRelayed = (endpoint) => RELAYED.has(endpoint);

// `now` less `before`, number by number.
export function minus(now, before) {
  if (typeof now === "number") return now - (before ?? 0);
  return Object.fromEntries(Object.entries(now).map(([key, value]) => [key, minus(value, before?.[key])]));
}

// The time within which such a share of a histogram's requests were answered, in seconds, interpolated within its bucket.
export function quantile({ count, buckets }, share) {
  const edges = Object.entries(buckets).map(([le, held]) => [le === "+Inf" ? Infinity : Number(le), held]).sort((a, b) => a[0] - b[0]);
  let low = 0, below = 0;
  for (const [edge, held] of edges) {
    if (held >= share * count && held > below) return edge === Infinity ? low : low + ((share * count - below) / (held - below)) * (edge - low);
    [low, below] = [edge, held];
  }
  return 0;
}
