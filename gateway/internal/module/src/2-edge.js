// ---- What the edge answers --------------------------------------------------

// Times in milliseconds.
const PATIENCE = {
  answer: 30_000, // for a purchase: above the edge's own limit
  look: 10_000, // for a question
  resend: 120_000, // how long after the click a request without an answer is sent again
  arrive: 15_000, // how long an order may take to appear after a reload
  remember: 600_000, // how long an order at rest is shown when its page is opened again
  stream: 60_000, // how long one stream is listened to
  first: 700, longest: 30_000, // between two questions
};

// ask sends one request and says what is known after it: { order }, { refused }
// (the edge's own definite no), or neither, when nobody can tell whether it took
// effect: a timeout, a 5xx, a page of some proxy's, half an answer.
async function ask(edge, method, path, { body, key, wait = PATIENCE.look } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const gone = new AbortController();
  const timer = setTimeout(() => gone.abort(), wait);
  let status, said;
  try {
    const res = await fetch(edge + path, {
      method, headers, body: body && JSON.stringify(body), signal: gone.signal,
      credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
    });
    status = res.status;
    said = JSON.parse(await res.text());
  } catch {
    return {};
  } finally {
    clearTimeout(timer);
  }
  if (status < 300 || status === 402) return isOrder(said) ? { order: said } : { said };
  const details = Array.isArray(said?.details) ? said.details : [];
  const reason = details.find((d) => d?.domain === "makegood")?.reason;
  if (!reason || (status >= 500 && reason !== "CHARGES_PAUSED")) return {};
  const fields = {};
  for (const d of details) for (const v of d?.field_violations ?? d?.fieldViolations ?? []) fields[v.field] = v.description;
  return { refused: { status, reason, fields, message: said.message } };
}

const isOrder = (o) => typeof o?.reference === "string" && typeof o.state === "string" && typeof o.next_action?.type === "string";
