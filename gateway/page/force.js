// The view In force: strategies and their states, calibrations, certificates, pairs and policies.

import { byId, el, fixed, money, percent, refill, table, whole, word } from "./dom.js";
import { onListing } from "./listing.js";

const date = (text) => (text ? new Date(text).toLocaleDateString(undefined, { dateStyle: "medium" }) : "–");
const interval = ({ threshold_low: low, threshold_high: high }) => (low || high ? `${fixed(low)}–${fixed(high)}` : "–");

export function startForce() {
  onListing((listed) => refill(byId("force-body"), ...nodes(listed)));
}

function nodes(listed) {
  const strategies = listed.strategies.length
    ? listed.strategies.map(strategyNode)
    : [el("p", { className: "hint", textContent: "No strategy is configured, or your key may use none." })];
  const pairs = listed.pairs.length
    ? table("The two models of each", ["Pair", "Strong", "Weak", "Pinned"], listed.pairs.map((each) => [
      each.name, backend(each.strong, each.strong_prices), backend(each.weak, each.weak_prices), each.pinned === "TIER_UNSPECIFIED" ? "no" : word(each.pinned)]))
    : el("p", { className: "hint", textContent: "No pair that your key may use." });
  const ensembles = listed.ensembles.map((each) => el("article", { className: "card" }, el("h4", { textContent: each.name }), ...recordNodes(each)));
  return [
    el("h3", { textContent: "Pairs" }), pairs,
    el("h3", { textContent: "Policies" }), el("p", { textContent: listed.policies.join(", ") || "None." }),
    el("h3", { textContent: "Strategies" }), el("div", { className: "cards" }, ...strategies),
    ...(ensembles.length ? [el("h3", { textContent: "Several strategies together" }), el("div", { className: "cards" }, ...ensembles)] : []),
  ];
}

// A model's name, and what it costs where the settings say so.
function backend(model, prices) {
  const said = prices && `${money(prices.prompt_per_million)} ${prices.currency} a million tokens read, ${money(prices.completion_per_million)} written`;
  return el("div", {}, el("span", { className: "code", textContent: model }), said ? el("div", { className: "hint", textContent: said }) : null);
}

function strategyNode(each) {
  const state = el("p", { className: each.ready ? "state ready" : "state down", textContent: each.ready ? "Ready" : `Not ready: ${each.detail || "no word why"}` });
  const facts = [["Checkpoint", each.checkpoint], ["Embedder", each.embedder], ["Version", each.version]].filter(([, value]) => value);
  return el("article", { className: "card" }, el("h4", { textContent: each.name }), state,
    el("dl", { className: "facts" }, ...facts.flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { className: "code", textContent: value })])),
    ...recordNodes(each));
}

// Calibrations, certificates, and how the live traffic compares with them.
function recordNodes({ name, calibrations, live }) {
  const shared = calibrations.find((record) => record.thresholds.some((one) => one.strong_share !== undefined));
  const certified = calibrations.flatMap((record) => record.thresholds.filter((one) => one.max_quality_loss !== undefined).map((one) => [record, one]));
  const made = [];
  if (shared) {
    made.push(el("p", { className: "hint", textContent: `Calibration ${shared.name}: ${whole(shared.sample_size)} prompts, ${date(shared.created)}, data ${shared.data_sha256.slice(0, 12)}.` }));
    const rows = shared.thresholds.filter((one) => one.strong_share !== undefined).map((one) => [percent(one.strong_share), fixed(one.threshold), interval(one)]);
    made.push(table(`${name}: shares`, ["Strong share", "Threshold", "Interval"], rows, [1, 2]));
  } else made.push(el("p", { className: "hint", textContent: "Not calibrated for the checkpoint that serves." }));
  if (certified.length) {
    made.push(table(`${name}: certificates`, ["Quality loss", "Threshold", "Confidence", "Pair", "To weak", "Judge", "Expires"], certified.map(([record, one]) => [
      percent(one.max_quality_loss), fixed(one.threshold), percent(1 - one.delta), one.pair, percent(one.weak_share), one.judge || record.name, expiry(one.expires)])));
  }
  if (live?.shares?.length) {
    made.push(table(`${name}: live shares`, ["Asked for", "Went to strong", "Decisions"], live.shares.map((one) => [percent(one.target), percent(one.strong_share), whole(one.decisions)]), [1, 2]));
  }
  if (live?.drifts?.length) {
    made.push(table(`${name}: drift`, ["Record", "Index", "Win rates", "State"], live.drifts.map((one) => [one.calibration, fixed(one.index), whole(one.win_rates), one.past_limit ? "drifted" : "within the limit"]), [1, 2]));
  }
  return made;
}

const expiry = (text) => (text && new Date(text) < new Date() ? `expired, ${date(text)}` : date(text));
