// What tokens of a pair cost: by the settings, until somebody types otherwise.

import { byId, options, show } from "./dom.js";
import { listing, onListing, pairOptions } from "./listing.js";

const FIELDS = [["strong", "read", "prompt_per_million"], ["strong", "written", "completion_per_million"], ["weak", "read", "prompt_per_million"], ["weak", "written", "completion_per_million"]];
const field = (tier, kind) => byId(`price-${tier}-${kind}`);
let typed = false;

export function startPrices(changed) {
  const again = () => { typed = false; take(); changed(); };
  onListing((listed) => {
    options(byId("price-pair"), pairOptions(listed));
    show(byId("price-pair-field"), listed.pairs.length > 1);
    if (typed) tell();
    else take();
    changed();
  });
  byId("price-pair").addEventListener("change", again);
  byId("price-again").addEventListener("click", () => { again(); field("strong", "read").focus(); });
  for (const [tier, kind] of FIELDS) field(tier, kind).addEventListener("input", () => { typed = true; tell(); changed(); });
  byId("price-tokens").addEventListener("input", changed);
}

// Per million tokens by tier, the tokens of an answer, and the currency; `known` where both tiers have a price, 0 among them.
export function prices() {
  const number = (node) => Math.max(0, Number(node.value) || 0);
  const of = (tier) => ({ read: number(field(tier, "read")), written: number(field(tier, "written")) });
  const { currencies } = set();
  const known = ["strong", "weak"].every((tier) => field(tier, "read").value !== "" || field(tier, "written").value !== "");
  return { strong: of("strong"), weak: of("weak"), answer: number(byId("price-tokens")), currency: currencies.length === 1 ? currencies[0] : "", known };
}

// The settings' prices of the pair that is looked at, and their currencies.
function set() {
  const pair = listing()?.pairs.find(({ name }) => name === byId("price-pair").value);
  const found = { strong: pair?.strong_prices, weak: pair?.weak_prices };
  return { ...found, currencies: [...new Set(Object.values(found).filter(Boolean).map(({ currency }) => currency))] };
}

// Two currencies are no sum, so that neither's prices are taken.
function take() {
  const told = set();
  for (const [tier, kind, name] of FIELDS) field(tier, kind).value = (told.currencies.length === 1 ? told[tier]?.[name] : undefined) ?? "";
  tell();
}

function tell() {
  const told = set();
  const missing = ["strong", "weak"].filter((tier) => !told[tier]);
  show(byId("price-again"), typed && told.currencies.length === 1);
  byId("price-hint").textContent = typed ? "By what was typed."
    : missing.length === 2 ? "The settings have no prices of this pair; type them to see costs."
    : missing.length ? `By the settings, which have no prices of the ${missing[0]} backend; type them to see costs.`
    : told.currencies.length > 1 ? `The settings have the two in ${told.currencies.join(" and ")}, which can't be added up; type them in one currency.`
    : "By the settings. What you type counts instead.";
}
