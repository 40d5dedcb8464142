// A receipt as tables that people read.

import { el, fixed, money, percent, table, time, whole, word } from "./dom.js";

const seconds = (value) => (value === undefined ? undefined : time(value));

// Nodes; what a receipt doesn't have isn't shown.
export function receiptNodes(receipt, wholeS) {
  const { decision = {}, timings = {}, usage, cost } = receipt;
  const rows = [
    ["Decision", `${word(decision.tier)}, because of ${word(decision.reason)}`],
    ["Model", decision.model],
    ["Strategy", decision.strategy],
    ["Strong win rate", decision.strong_win_rate === undefined ? undefined : fixed(decision.strong_win_rate, 4)],
    ["Threshold", decision.threshold === undefined ? undefined : fixed(decision.threshold, 4)],
    ["Calibration", receipt.calibration],
    ["Pair and backend", [decision.pair, decision.backend].filter(Boolean).join(", ")],
    ["Scoring", seconds(timings.scoring_s)],
    ["Router, in all", seconds(timings.router_s)],
    ["Backend's first byte", seconds(timings.first_byte_s)],
    ["Controller, in all", seconds(timings.total_s)],
    ["This browser, in all", seconds(wholeS)],
    ["Tokens", usage && `${whole(usage.prompt_tokens ?? 0)} read, ${whole(usage.completion_tokens ?? 0)} written${usage.estimated ? " (estimates)" : ""}`],
    ["Cost", cost && spent(cost)],
    ["Error", receipt.error],
    ["Caller", receipt.caller],
    ["Request", receipt.request_id],
    ["Version", receipt.version],
  ].filter(([, value]) => value !== undefined && value !== "");
  const nodes = [el("dl", { className: "facts" }, ...rows.flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { textContent: value })]))];
  if (receipt.attempts?.length) {
    nodes.push(table("Calls to backends", ["Backend", "Tier", "Status", "Time", "Error"],
      receipt.attempts.map((each) => [each.backend, word(each.tier), String(each.http_status || "none"), seconds(each.elapsed_s), each.error || "none"]), [3]));
  }
  return nodes;
}

function spent({ amount = 0, always_strong: strong = 0, currency = "" }) {
  const saved = strong > 0 ? `; always strong ${money(strong)}, saved ${percent(1 - amount / strong)}` : "";
  return `${money(amount)} ${currency}${saved}`;
}
