// The composition root: views by the address's hash, the key, and the state of the services.

import { startAsk } from "./ask.js";
import { key, readyz } from "./api.js";
import { byId, show } from "./dom.js";
import { startForce } from "./force.js";
import { refresh } from "./listing.js";
import { startPrompts } from "./prompts.js";
import { startTraffic } from "./traffic.js";

const VIEWS = ["ask", "prompts", "traffic", "force"];
const READY_MS = 5000;
const LISTING_MS = 15000;
let misses = 0;

function goTo(focus) {
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : VIEWS[0];
  for (const view of VIEWS) {
    show(byId(view), view === name);
    const link = document.querySelector(`nav a[href="#${view}"]`);
    if (view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = byId(`${name}-title`);
  document.title = `${title.textContent} · Pointsman`;
  if (focus) title.focus();
}

function tellKey(state = key.get() ? "in use" : "none") {
  byId("key-state").textContent = state;
  show(byId("key-forget"), key.get() !== "");
}

function changed() {
  tellKey();
  dispatchEvent(new Event("pointsman-key-changed"));
  again();
}

function startKey() {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = byId("key-input").value.trim();
    if (!typed) return;
    key.set(typed);
    byId("key-input").value = "";
    byId("key-box").open = false;
    changed();
  });
  byId("key-forget").addEventListener("click", () => { key.forget(); changed(); });
  addEventListener("pointsman-key-needed", () => {
    if (byId("key-box").open) return;
    tellKey(key.get() ? "refused" : "needed");
    byId("key-box").open = true;
    byId("key-input").focus();
  });
  tellKey();
}

// Strategies and all that depends on them; an error is told where they would stand.
async function again() {
  try {
    await refresh(AbortSignal.timeout(10000));
    byId("force-error").textContent = "";
  } catch (error) {
    byId("force-error").textContent = error.words ?? "The gateway doesn't answer.";
    if (error.status && error.status !== 401) byId("services").textContent = `Strategies can't be listed: ${error.message}`;
  }
}

function worded(state) {
  if (!state) return ["down", "The gateway can't be reached."];
  if (state.gateway !== "ok") return ["down", `The gateway is ${state.gateway}.`];
  if (state.controller !== "ok") return ["down", `The controller is down. ${state.controller}`];
  const down = Object.entries(state.strategies).filter(([, said]) => said !== "ready");
  const names = Object.keys(state.strategies).length;
  if (!names) return ["down", "No strategy is configured."];
  if (!down.length) return ["ready", `Gateway, controller and ${names === 1 ? "the strategy" : `all ${names} strategies`} are ready.`];
  return ["down", `Not ready: ${down.map(([name, said]) => `${name} (${said})`).join(", ")}. The others answer.`];
}

// A status that is read out only when it changes. One miss may be a full set of connections; two are an outage.
async function look() {
  const state = await readyz();
  misses = state ? 0 : misses + 1;
  if (state || misses > 1 || !byId("services").textContent) {
    const [kind, text] = worded(state);
    const came = byId("services").classList.contains("down") && kind === "ready";
    if (byId("services").textContent !== text) byId("services").textContent = text;
    byId("services").className = `services ${kind}`;
    if (came) again();
  }
  setTimeout(look, document.hidden ? 4 * READY_MS : READY_MS);
}

startKey();
startAsk();
startPrompts();
startForce();
goTo(false);
addEventListener("hashchange", () => goTo(true));
startTraffic();
look();
await again();
setInterval(() => { if (!document.hidden) again(); }, LISTING_MS);
