// The demo shop: what a checkout page does with makegood.js, and switches that
// break things. The first half is all that a real page needs.
import { createCheckout } from "/makegood.js";

const $ = (id) => document.getElementById(id);
const { key, simulator } = document.body.dataset;
const form = $("buy");

const stripe = window.Stripe && key ? window.Stripe(key) : undefined;
const card = stripe?.elements().create("card");
card?.mount("#card");

let checkout;
function sell(plan) {
  checkout?.close();
  checkout = createCheckout({
    plan: plan.id, stripe, card, form, status: $("status"),
    checkout: plan.renews ? "HOSTED" : "SERVER",
  });
  window.checkout = checkout;
  $("card-field").hidden = plan.renews; // asked for on Stripe's page
  $("pay").textContent = plan.renews ? "Continue to payment" : `Pay ${plan.prices[0].amount_display}`;
}

async function showPlans() {
  let plans;
  try { plans = (await (await fetch("/v1/plans")).json()).plans; } catch { /* asked again below */ }
  if (!plans) return setTimeout(showPlans, 2000);
  $("plans-loading").remove();
  for (const [i, plan] of plans.entries()) {
    const row = document.createElement("label"), radio = document.createElement("input"), name = document.createElement("span"), price = document.createElement("span");
    Object.assign(radio, { type: "radio", name: "plan", value: plan.id, checked: i === 0, onchange: () => sell(plan) });
    row.className = "plan";
    name.innerHTML = "<strong></strong><span class=soft></span>";
    name.firstChild.textContent = plan.name;
    name.lastChild.textContent = plan.renews ? "renews until you cancel" : `${plan.term_months} months, paid once`;
    price.className = "price";
    price.textContent = plan.prices[0].amount_display;
    row.append(radio, name, price);
    $("plans").append(row);
  }
  sell(plans[0]);
}
form.elements.email.value = `jane+${Math.random().toString(36).slice(2, 7)}@example.com`;
form.elements.name.value = "Jane Doe";

// ---- From here on: breaking things ----

const watch = (text) => { $("watch").textContent = text; };

function log(text) {
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  $("log").prepend(line);
}

// The network to the shop goes through here.
const network = { down: false, lost: false, html: false };
const fetchReally = window.fetch.bind(window);
window.fetch = async (address, options = {}) => {
  const url = new URL(address, location.href), method = options.method ?? "GET";
  if (url.origin !== location.origin) return fetchReally(address, options);
  const short = `${method} ${url.pathname.replace(/([0-9a-f]{8})-[0-9a-f-]{27}/, "$1…")}`;
  if (network.down) { log(`${short} → no connection`); throw new TypeError("the network is down"); }
  let answer;
  try { answer = await fetchReally(address, options); } catch (e) { log(`${short} → no answer`); throw e; }
  if (method === "POST" && network.lost) { press("lost", false); log(`${short} → the answer was lost`); throw new TypeError("the answer was lost"); }
  if (method === "POST" && network.html) {
    press("html", false);
    log(`${short} → a proxy’s page`);
    return new Response("<h1>502 Bad Gateway</h1>", { status: 502, headers: { "Content-Type": "text/html" } });
  }
  let state = "";
  try { state = (await answer.clone().json()).state ?? ""; } catch { /* not an order */ }
  log(`${short} → ${answer.status} ${state}`);
  return answer;
};
const EventSourceReally = window.EventSource;
const streams = new Set();
window.EventSource = class extends EventSourceReally {
  constructor(...args) {
    super(...args);
    streams.add(this);
    log("a stream of the order’s changes");
    if (network.down) this.close(), setTimeout(() => this.onerror?.(new Event("error")));
  }
};

function press(name, on) {
  network[name] = on;
  document.querySelector(`[data-network=${name}]`).setAttribute("aria-pressed", String(on));
  if (name !== "down" || !on) return;
  for (const s of streams) { s.close(); s.onerror?.(new Event("error")); }
  streams.clear();
}
const networkSays = {
  down: "Pay now, or while an order is followed: the page is drawn by makegood.js alone, says what it does not know, and asks more and more rarely. Switch it off, and the page heals.",
  lost: "The order arrives and is charged, and its answer is lost. makegood.js does not say “failed”: it asks, and finds the order paid. One charge.",
  html: "Instead of JSON comes somebody else’s error page. The same: it asks, and does not pay again.",
};
$("network").addEventListener("click", ({ target }) => {
  const name = target.dataset.network;
  if (!name) return;
  press(name, !network[name]);
  watch(networkSays[name]);
});

$("cards")?.addEventListener("click", ({ target }) => {
  if (!target.dataset.card) return;
  card.fill(target.dataset.card);
  watch(target.textContent === "Pays" ? "One request, one charge, “You’re in”." : target.textContent === "Is declined"
    ? "Stripe’s own words, and the form stays: another card pays the same order, under the same reference."
    : "The bank’s page opens above the shop. Complete it, fail it, or reload in the middle of it.");
});

// A fault at Stripe strikes the next confirmation; a held one is released.
const faultSays = {
  hang_after: "The bank has the money and takes 8 seconds to say so. Kill Orders meanwhile: the page says what it does not know, and heals when Orders is back.",
  reset_after: "Stripe has charged, and we do not know: the page says that we are checking. The order looks at Stripe by itself; the money is found, not taken again.",
  error_after: "Stripe has charged and answers 500. Unknown is not failed: it is looked up.",
};
$("stripe-faults")?.addEventListener("click", async ({ target }) => {
  const mode = target.dataset.fault;
  if (!mode) return;
  const id = "demo_" + mode, on = target.getAttribute("aria-pressed") === "true";
  await fetchReally(`${simulator}/_sim/faults/${id}`, { method: "DELETE" });
  target.setAttribute("aria-pressed", String(!on));
  if (on) return;
  await fetchReally(`${simulator}/_sim/faults`, { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ id, mode, method: "POST", path: "/v1/payment_intents/*/confirm", times: 1 }) });
  watch(faultSays[mode]);
  const timer = setInterval(async () => {
    const { faults } = await (await fetchReally(`${simulator}/_sim/faults`)).json(), fault = faults.find((f) => f.id === id);
    if (fault && !fault.hits) return;
    clearInterval(timer);
    if (fault?.held) await new Promise((done) => setTimeout(done, 8000));
    if (fault) await fetchReally(`${simulator}/_sim/faults/${id}`, { method: "DELETE" });
    target.setAttribute("aria-pressed", "false");
  }, 300);
});

$("twice").onclick = () => {
  watch("Two clicks, one request: the second one finds the first under way.");
  form.requestSubmit();
  form.requestSubmit();
};
$("reload").onclick = () => location.reload();
$("tab").onclick = () => {
  watch("Both tabs know the same order. Pay in one: the other follows, and does not pay.");
  window.open(location.href, "_blank");
};

showPlans();
