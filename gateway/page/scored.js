// A set of prompts with their win rates: sides, changes and costs at any threshold, without asking again.

const CHARACTERS_PER_TOKEN = 4;

export class Scored {
  constructor(texts) {
    this.texts = texts;
    this.rates = new Float64Array(texts.length).fill(NaN);
    // What isn't compared with a threshold: "strong" or "weak" whatever it is, or why there is no decision.
    this.fixed = new Map();
    this.errors = new Map();
    this.done = 0;
  }

  // One result of POST /v1/route/batch.
  put(index, { decision, error }) {
    if (error) this.errors.set(index, error.code ?? "failed");
    else if (decision.strong_win_rate !== undefined) this.rates[index] = decision.strong_win_rate;
    else this.fixed.set(index, decision.tier === "TIER_STRONG");
    this.done = Math.max(this.done, index + 1);
  }

  // true for strong, false for weak, undefined for what has no decision.
  isStrong(index, threshold) {
    const rate = this.rates[index];
    return Number.isNaN(rate) ? this.fixed.get(index) : rate >= threshold;
  }

  // Counts, and costs by prices per million tokens read and written; `answer` is the tokens of one.
  sums(threshold, reference, { strong, weak, answer }) {
    const price = (tier, index) => ((this.texts[index].length / CHARACTERS_PER_TOKEN) * tier.read + answer * tier.written) / 1e6;
    const sums = { strong: 0, weak: 0, toStrong: 0, toWeak: 0, cost: 0, costThen: 0, alwaysStrong: 0 };
    for (let index = 0; index < this.done; index += 1) {
      const now = this.isStrong(index, threshold);
      if (now === undefined) continue;
      const then = this.isStrong(index, reference);
      const dear = price(strong, index), cheap = price(weak, index);
      if (now) sums.strong += 1; else sums.weak += 1;
      if (now && !then) sums.toStrong += 1;
      if (!now && then) sums.toWeak += 1;
      sums.cost += now ? dear : cheap;
      sums.costThen += then ? dear : cheap;
      sums.alwaysStrong += dear;
    }
    return sums;
  }

  // So many win rates in each of `bins` equal parts of 0 to 1.
  histogram(bins) {
    const counts = new Array(bins).fill(0);
    for (let index = 0; index < this.done; index += 1) {
      if (!Number.isNaN(this.rates[index])) counts[Math.min(bins - 1, Math.floor(this.rates[index] * bins))] += 1;
    }
    return counts;
  }

  // Indexes of what is to be shown: all, changed, strong, weak or failed; in their order or by win rate.
  rows(kind, order, threshold, reference) {
    const shown = {
      all: () => true,
      changed: (index) => this.isStrong(index, threshold) !== this.isStrong(index, reference),
      strong: (index) => this.isStrong(index, threshold) === true,
      weak: (index) => this.isStrong(index, threshold) === false,
      failed: (index) => this.errors.has(index),
    }[kind];
    const found = [];
    for (let index = 0; index < this.done; index += 1) if (shown(index)) found.push(index);
    const rate = (index) => (Number.isNaN(this.rates[index]) ? -1 : this.rates[index]);
    return order === "rate" ? found.sort((a, b) => rate(b) - rate(a)) : found;
  }
}
