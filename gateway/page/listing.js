// What GET /v1/strategies says, for all views: asked now and then, and told to whoever listens when it has changed.

import { ask } from "./api.js";

let latest = null;
const listeners = new Set();

export const listing = () => latest;

export function onListing(listener) {
  listeners.add(listener);
  if (latest) listener(latest);
}

// For a select.
export const pairOptions = ({ pairs }) => [["Pairs", pairs.map(({ name, strong, weak }) => [name, `${name}: ${strong} or ${weak}`])]];

// Throws ApiError.
export async function refresh(signal) {
  const listed = await ask("v1/strategies", { signal });
  if (JSON.stringify(listed) === JSON.stringify(latest)) return latest;
  latest = listed;
  for (const listener of listeners) listener(latest);
  return latest;
}

// [share, threshold] pairs of what a strategy or an ensemble is calibrated for, by share; the newest record counts.
export function shares(name) {
  const found = [...(latest?.strategies ?? []), ...(latest?.ensembles ?? [])].find((each) => each.name === name);
  const record = (found?.calibrations ?? []).find((each) => each.thresholds.some((one) => one.strong_share !== undefined));
  const pairs = (record?.thresholds ?? []).filter((one) => one.strong_share !== undefined).map((one) => [one.strong_share, one.threshold]);
  return pairs.sort((a, b) => a[0] - b[0]);
}

// The threshold for a strong share, between the calibrated ones: near what the gateway would take, which knows the whole sample.
export function thresholdFor(name, share) {
  const known = shares(name);
  if (!known.length) return undefined;
  const all = [[0, 1], ...known.filter(([each]) => each > 0 && each < 1), [1, 0]];
  const above = all.findIndex(([each]) => each >= share);
  if (above <= 0) return 1;
  const [low, high] = [all[above - 1], all[above]];
  return low[1] + ((share - low[0]) / (high[0] - low[0])) * (high[1] - low[1]);
}
