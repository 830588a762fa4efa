// ---- What is said -----------------------------------------------------------
// The words come from the edge's own catalogue, WORDS, which is set above.

// situationOf names what an order's page is about, as the edge's pages do.
function situationOf(order, now = Date.now()) {
  const { state, kind, promise } = order, renewal = kind === "RENEWAL";
  const missed = promise?.missed_count > 0 || (promise?.by && upToTheMinute(promise.by) <= now), late = missed ? "_late" : "";
  if (state !== "REFUNDED" && order.refund_asked_at) return order.refund_failed ? "refund_failed" : "refunding";
  switch (state) {
    case "COMPLETE": case "RECOVERED":
      if (order.access_until && Date.parse(order.access_until) <= now) return "access_ended";
      return renewal ? "renewed" : state === "RECOVERED" ? "ready_late" : "ready";
    case "CHARGED": case "ORPHANED": return (renewal ? "extending" : "setting_up") + late;
    case "FAILED": return "declined";
    case "EXPIRED": return "nothing_charged";
    case "REFUNDED": return "refunded";
    case "PENDING":
      if (order.next_action.type === "USE_STRIPE_SDK") return "buyer_must_act";
      if (order.next_action.type === "REDIRECT") return "pay_elsewhere";
      return order.payment_error?.code === "wrong_amount" ? "held" : "checking" + late;
  }
  return "unreachable";
}

// A time that is named is never before the moment that is meant.
const upToTheMinute = (at) => Math.ceil(Date.parse(at) / 60_000) * 60_000;

// promisedFor is how long (ms) the time that was named is away; NaN without one.
const promisedFor = (order, now = Date.now()) => upToTheMinute(order?.promise?.by ?? NaN) - now;

// wordsFor fills the catalogue's sentences; one that needs what is not known is
// left out.
function wordsFor(situation, order, now = Date.now()) {
  const free = order?.amount_minor === "0" && !order.charged_at ? WORDS.nothing_to_pay[situation] : undefined;
  const known = { ...(WORDS.checkout[situation] ?? WORDS.situations[situation] ?? WORDS.situations.unreachable), ...free };
  const by = order?.promise?.by && upToTheMinute(order.promise.by), missed = order?.promise?.missed_by || order?.promise?.by, email = order?.email_masked || WORDS.around.your_address;
  const values = { by: by > now && moment(by, now), missed: missed && moment(upToTheMinute(missed), now), email, days: REFUND_DAYS, asked: order?.refund_asked_at && moment(order.refund_asked_at, 0) }; // with its day
  const said = {};
  for (const part of ["title", "lead", "next", "promise"]) said[part] = fill(known[part], values);
  if (!said.promise && known.promise_open) said.promise = known.promise_open;
  said.promise = [fill(known.missed, values), said.promise].filter(Boolean).join(" ");
  said.offer = order?.promise?.refund_offered && known.promise ? fill(WORDS.refund.offered, values) : "";
  return said;
}

function fill(text, values) {
  let missing = false;
  const filled = (text ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name] || ((missing = true), ""));
  return missing ? "" : filled;
}

// moment is a time of the reader's own clock, with the day unless it is today.
function moment(at, now) {
  const t = new Date(at), today = t.toDateString() === new Date(now).toDateString();
  return t.toLocaleString(WORDS.lang, { ...(today ? {} : { day: "numeric", month: "long" }), hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
}
