// The view Ask: one prompt, every strategy's win rate, and the answer of the backend that is chosen.

import { Aim } from "./aim.js";
import { ApiError, ask, isAbort, send } from "./api.js";
import { byId, el, fill, fixed, options, show, tierNode, word } from "./dom.js";
import { events } from "./events.js";
import { listing, onListing, pairOptions } from "./listing.js";
import { receiptNodes } from "./receipt.js";
import { Scale } from "./scale.js";

const AT_ONCE = 4; // a browser has six connections, and the answer and /readyz want theirs
const TICK_MS = 200;
let scale, aim, running = null;
let winRates = new Map();

const by = () => byId("ask-by").value;
const strategy = () => (by().startsWith("router-") ? by().slice("router-".length) : "");
const model = () => (strategy() ? `${by()}-${aim.suffix}` : by());

export function startAsk() {
  scale = new Scale(byId("scale"));
  aim = new Aim(byId("ask-aim"), strategy, told);
  onListing((listed) => {
    options(byId("ask-by"), routes(listed));
    options(byId("ask-pair"), pairOptions(listed));
    show(byId("ask-pair-field"), listed.pairs.length > 1);
    aim.tell();
    told();
  });
  for (const id of ["ask-by", "ask-pair"]) byId(id).addEventListener("change", () => { aim.tell(); told(); });
  byId("ask-cancel").addEventListener("click", () => running?.abort());
  byId("ask-compare").addEventListener("click", () => { if (byId("ask-form").reportValidity()) begin(false); });
  byId("ask-form").addEventListener("submit", (event) => { event.preventDefault(); begin(true); });
  byId("ask-prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("ask-form").requestSubmit();
  });
}

// What may stand in `model`, in groups; a threshold is added to strategies alone.
export function routes(listed) {
  const scored = ({ name }) => [`router-${name}`, name];
  return [
    ["Strategies", listed.strategies.map(scored)],
    ["Several strategies", listed.ensembles.map(scored)],
    ["Policies", listed.policies.map((name) => [`router:${name}`, name])],
    ["Backends", listed.backends.map((name) => [name, name])],
  ];
}

function told() {
  show(byId("ask-aim"), strategy() !== "");
  byId("ask-model").textContent = model();
  scale.aim(strategy(), aim.threshold);
  const winRate = winRates.get(strategy());
  const known = winRate !== undefined && aim.threshold !== undefined;
  show(byId("what-if"), known);
  if (!known) return;
  const tier = winRate >= aim.threshold ? "strong" : "weak";
  const pair = listing()?.pairs.find(({ name }) => name === byId("ask-pair").value);
  fill(byId("what-if"), "By the slider: ", tierNode(tier), " ", el("span", { className: "code", textContent: pair?.[tier] ?? "" }),
    ` (${fixed(winRate)} ${tier === "strong" ? "≥" : "<"} ${fixed(aim.threshold)})`);
}

async function begin(withAnswer) {
  running?.abort();
  const mine = running = new AbortController();
  const text = byId("ask-prompt").value;
  byId("ask-error").textContent = byId("ask-status").textContent = "";
  winRates = new Map();
  fill(byId("decision"));
  told();
  show(byId("ask-cancel"), true);
  show(byId("receipt-box"), false);
  show(byId("scale-empty"), false);
  const works = [compared(text, mine), ...(withAnswer ? [answered(text, mine)] : [])];
  const ended = await Promise.allSettled(works);
  if (running !== mine) return;
  running = null;
  show(byId("ask-cancel"), false);
  const errors = ended.map(({ reason }) => reason).filter(Boolean);
  if (mine.signal.aborted) byId("ask-status").textContent = "Cancelled.";
  else if (errors.length) byId("ask-error").textContent = [...new Set(errors.map(worded))].join(" ");
  told();
}

const worded = (error) => (error instanceof ApiError ? error.words : "The answer broke off.");

// One question for each strategy, so that a slow one keeps none of the others back. What a later question has replaced says no more.
async function compared(text, mine) {
  const { signal } = mine;
  const names = (listing()?.strategies ?? []).map(({ name }) => name);
  const began = new Map();
  scale.begin(names);
  scale.aim(strategy(), aim.threshold);
  const ticking = setInterval(() => began.forEach((at, name) => scale.waiting(name, (performance.now() - at) / 1000)), TICK_MS);
  const left = [...names];
  const errors = [];
  const work = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      began.set(name, performance.now());
      try {
        const { opinions: [opinion] } = await ask("v1/strategies/compare", { body: { prompt: text, strategies: [name] }, signal, timeoutS: 60 });
        if (running !== mine) return;
        if (opinion.strong_win_rate !== undefined) winRates.set(name, opinion.strong_win_rate);
        told();
        scale.set(name, opinion.strong_win_rate, opinion.failure);
      } catch (error) {
        if (running === mine) scale.set(name, undefined, isAbort(error) ? "cancelled" : error.code ?? "failed");
        if (!isAbort(error)) errors.push(error);
      } finally {
        began.delete(name);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    clearInterval(ticking);
  }
  if (errors.length) throw errors[0];
}

async function answered(text, mine) {
  const { signal } = mine;
  const answer = byId("answer");
  const began = performance.now();
  answer.textContent = "";
  show(byId("answer-empty"), false);
  show(answer, true);
  answer.setAttribute("aria-busy", "true");
  const waiting = setInterval(() => { byId("ask-status").textContent = `Waiting for the answer: ${Math.floor((performance.now() - began) / 1000)} s.`; }, 1000);
  const headers = { "x-pointsman-receipt": "true" };
  if (!byId("ask-pair-field").hidden && strategy()) headers["x-pointsman-pair"] = byId("ask-pair").value;
  const body = { model: model(), messages: [{ role: "user", content: text }], stream: true };
  try {
    const response = await send("v1/chat/completions", { body, headers, signal });
    decided(response.headers);
    const receipt = await streamed(response, answer, waiting);
    if (receipt) shown(receipt, (performance.now() - began) / 1000);
    byId("ask-status").textContent = `The answer is complete: ${answer.textContent.length} characters from ${response.headers.get("x-pointsman-model") ?? "the backend"}.`;
  } catch (error) {
    if (running !== mine) throw error;
    byId("ask-status").textContent = "";
    if (!answer.textContent) { show(answer, false); show(byId("answer-empty"), true); }
    throw error;
  } finally {
    clearInterval(waiting);
    if (running === mine) answer.removeAttribute("aria-busy");
  }
}

function decided(headers) {
  const said = (name) => headers.get(`x-pointsman-${name}`) ?? "";
  const compared = said("strong-win-rate") && said("threshold") ? `, win rate ${fixed(said("strong-win-rate"))} against ${fixed(said("threshold"))}` : "";
  fill(byId("decision"), "Sent to ", tierNode(said("tier")), ": ", el("span", { className: "code", textContent: said("model") }), ` (${word(said("reason"))}${compared})`);
}

// Puts the text where it belongs as it comes; the receipt at the end. An error in the stream is thrown.
async function streamed(response, answer, waiting) {
  let receipt = null;
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    const told = await response.json();
    answer.textContent = told.choices?.[0]?.message?.content ?? "";
    return JSON.parse(response.headers.get("x-pointsman-receipt") ?? "null");
  }
  let cut = null;
  for await (const { data, comment } of events(response)) {
    if (comment?.startsWith("pointsman-receipt ")) receipt = JSON.parse(comment.slice("pointsman-receipt ".length));
    if (data === undefined || data === "[DONE]") continue;
    const told = JSON.parse(data);
    if (told.error) cut = new ApiError(502, told.error.code ?? "", told.error.message ?? "The answer broke off.", { requestId: response.headers.get("x-pointsman-request-id") });
    const text = told.choices?.[0]?.delta?.content;
    if (text) { clearInterval(waiting); answer.append(text); }
  }
  if (cut) { if (receipt) shown(receipt); throw cut; }
  return receipt;
}

function shown(receipt, wholeS) {
  fill(byId("receipt"), ...receiptNodes(receipt, wholeS));
  show(byId("receipt-box"), true);
}
