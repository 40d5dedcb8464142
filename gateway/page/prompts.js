// The view Prompts: a set of prompts, scored once, and which of them change sides as the slider moves.

import { Aim } from "./aim.js";
import { ask, isAbort } from "./api.js";
import { byId, el, fill, fixed, money, options, percent, show, table, tierNode, whole } from "./dom.js";
import { onListing } from "./listing.js";
import { prices, startPrices } from "./prices.js";
import { MOST, readPrompts } from "./read-prompts.js";
import { Scored } from "./scored.js";

const BATCH = 256;
const PAGE = 50;
const BINS = 50, FEW_BINS = 20, FEW = 200;
const LONGEST_FILE = 32 << 20;
const LONGEST_SHOWN = 300;
const EXAMPLES = [
  "What is the capital of France?", "Translate 'good morning' into Spanish.", "How many days are there in a leap year?",
  "Write a haiku about rain.", "Explain to a child why the sky is blue.", "Summarise the causes of the First World War in three sentences.",
  "Prove that the square root of two is irrational.", "Find the bug: for (i = 0; i <= items.length; i++) use(items[i]);",
  "Compare fixed and floating exchange rates for a small open economy, with an example of each.",
  "Derive the closed form of the sum of the first n cubes, and prove it by induction.",
];
let aim, scored = null, scoredBy = "", reference = 0.5, page = 0, running = null, drawing = 0;

// Whose calibration counts: that of the strategy whose win rates are there.
const strategy = () => scoredBy || byId("prompts-by").value;

export function startPrompts() {
  aim = new Aim(byId("prompts-aim"), strategy, draw);
  onListing((listed) => {
    options(byId("prompts-by"), [["Strategies", listed.strategies.map(({ name }) => [name, name])], ["Several strategies", listed.ensembles.map(({ name }) => [name, name])]]);
    aim.tell();
  });
  byId("prompts-examples").addEventListener("click", () => { byId("prompts-text").value = EXAMPLES.join("\n"); byId("prompts-file").value = ""; });
  byId("prompts-cancel").addEventListener("click", () => running?.abort());
  byId("prompts-form").addEventListener("submit", (event) => { event.preventDefault(); begin(); });
  byId("take-reference").addEventListener("click", () => { reference = aim.threshold ?? reference; draw(); });
  startPrices(draw);
  for (const id of ["rows-kind", "rows-order"]) byId(id).addEventListener("change", () => { page = 0; draw(); });
  byId("rows-before").addEventListener("click", () => { page -= 1; draw(); });
  byId("rows-after").addEventListener("click", () => { page += 1; draw(); });
}

async function given() {
  const [file] = byId("prompts-file").files;
  if (!file) return readPrompts(byId("prompts-text").value);
  if (file.size > LONGEST_FILE) throw new Error(`The file is longer than ${whole(LONGEST_FILE)} bytes.`);
  return readPrompts(await file.text(), file.name);
}

async function begin() {
  running?.abort();
  const mine = running = new AbortController();
  const say = (text) => { byId("prompts-status").textContent = text; };
  byId("prompts-error").textContent = "";
  try {
    const { prompts, skipped, cut } = await given();
    if (!prompts.length) throw new Error("There is no prompt: paste some, a line each, or choose a file.");
    const notes = [skipped ? ` ${whole(skipped)} lines without a prompt were passed over.` : "", cut ? ` There were more; the first ${whole(MOST)} are used.` : ""].join("");
    scored = new Scored(prompts);
    scoredBy = byId("prompts-by").value;
    aim.tell();
    reference = aim.threshold ?? 0.5;
    page = 0;
    show(byId("prompts-cancel"), true);
    show(byId("prompts-progress"), true);
    show(byId("prompts-empty"), false);
    show(byId("prompts-result"), true);
    byId("prompts-progress").max = prompts.length;
    await scoreAll(scored, scoredBy, mine.signal, say);
    say(`${whole(prompts.length)} prompts scored by ${scoredBy}.${notes}`);
  } catch (error) {
    if (running !== mine) return;
    if (isAbort(error)) say(`Cancelled after ${whole(scored.done)} prompts.`);
    else { say(""); byId("prompts-error").textContent = error.words ?? error.message; }
  } finally {
    if (running === mine) {
      running = null;
      show(byId("prompts-cancel"), false);
      show(byId("prompts-progress"), false);
    }
  }
}

// Batch after batch; where the gateway says to come back later, then.
async function scoreAll(set, name, signal, say) {
  const began = performance.now();
  for (let from = 0; from < set.texts.length; from += BATCH) {
    const body = { model: `router-${name}-0.5`, prompts: set.texts.slice(from, from + BATCH) };
    const { results } = await patiently(() => ask("v1/route/batch", { body, signal }), signal, say);
    results.forEach((result, index) => set.put(from + index, result));
    byId("prompts-progress").value = set.done;
    say(`${whole(set.done)} of ${whole(set.texts.length)} prompts, ${((performance.now() - began) / 1000).toFixed(0)} s.`);
    draw();
  }
}

async function patiently(work, signal, say) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.status !== 429) throw error;
      const waitS = Math.max(1, error.retryAfterS);
      say(`${error.message} Goes on in ${waitS} s.`);
      await new Promise((resolve) => { const timer = setTimeout(resolve, 1000 * waitS); signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }); });
      signal.throwIfAborted();
    }
  }
}

// At most once a frame, however fast the slider moves.
function draw() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => { if (scored) drawNow(aim.threshold ?? reference); });
}

function drawNow(threshold) {
  const priced = prices();
  const sums = scored.sums(threshold, reference, priced);
  const decided = sums.strong + sums.weak;
  const share = decided ? percent(sums.strong / decided) : "–";
  const facts = [
    ["To strong", `${whole(sums.strong)} of ${whole(decided)} (${share})`],
    ["Change sides", `${whole(sums.toStrong + sums.toWeak)}: ${whole(sums.toStrong)} to strong, ${whole(sums.toWeak)} to weak`],
    ["Reference", fixed(reference)],
    ...(scored.errors.size ? [["Not decided", whole(scored.errors.size)]] : []),
    ...costs(sums, priced),
  ];
  fill(byId("prompts-sums"), ...facts.flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { textContent: value })]));
  aim.slider.setAttribute("aria-valuetext", `${aim.said.textContent}: ${sums.strong} of ${decided} to strong, ${sums.toStrong + sums.toWeak} change sides`);
  drawBars(threshold);
  drawRows(threshold);
}

function costs({ cost, costThen, alwaysStrong }, { known, currency }) {
  if (!known) return [["Cost", "Type the prices below to see it"]];
  const signed = (amount, said) => (amount ? `${amount < 0 ? "−" : "+"}${said(Math.abs(amount))}` : said(0));
  const amount = (value) => `${money(value)} ${currency}`.trim();
  return [
    ["Cost of the set", amount(cost)],
    ["Against the reference", signed(cost - costThen, amount)],
    ["Against always strong", alwaysStrong ? signed(cost / alwaysStrong - 1, percent) : "–"],
  ];
}

function drawBars(threshold) {
  const bins = scored.texts.length < FEW ? FEW_BINS : BINS;
  const counts = scored.histogram(bins);
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, bin) => {
    const weak = Math.min(1, Math.max(0, threshold * bins - bin)); // the part of this bar that is below the threshold
    const bar = el("span", { className: weak === 0 ? "strong" : weak < 1 ? "split" : "" });
    if (weak) bar.style.setProperty("--at", `${100 * weak}%`);
    bar.style.height = `${(100 * count) / most}%`;
    return bar;
  });
  const line = el("i", {});
  line.style.left = `${100 * threshold}%`;
  fill(byId("bars"), ...bars, line);
}

function drawRows(threshold) {
  const rows = scored.rows(byId("rows-kind").value, byId("rows-order").value, threshold, reference);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  page = Math.min(Math.max(0, page), pages - 1);
  const shown = rows.slice(page * PAGE, (page + 1) * PAGE).map((index) => cells(index, threshold));
  fill(byId("rows"), rows.length ? table(`${whole(rows.length)} prompts`, ["Prompt", "Win rate", "Side", "Change"], shown, [1])
    : el("p", { className: "hint", textContent: "None of this kind." }));
  byId("rows-page").textContent = `Page ${page + 1} of ${whole(pages)}`;
  byId("rows-before").disabled = page === 0;
  byId("rows-after").disabled = page === pages - 1;
}

function cells(index, threshold) {
  const text = scored.texts[index];
  const now = scored.isStrong(index, threshold), then = scored.isStrong(index, reference);
  const side = now === undefined ? scored.errors.get(index) ?? "none" : tierNode(now ? "strong" : "weak");
  const rate = Number.isNaN(scored.rates[index]) ? "none" : fixed(scored.rates[index]);
  const change = now === then ? "" : now ? "to strong" : "to weak";
  return [text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)} …` : text, rate, side, change];
}
