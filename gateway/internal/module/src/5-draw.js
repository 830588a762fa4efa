// ---- On the page ------------------------------------------------------------

// createCheckout makes a Checkout, and when a form is given lets it steer that:
// its fields email and name, its messages, and the panel that takes its place
// while an order is followed. The panel needs nothing from anywhere else.
function createCheckout(options) {
  const checkout = new Checkout(options);
  if (options.form) bind(checkout, options.form, options.status);
  return checkout;
}

function make(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children.filter((c) => c !== "" && c !== undefined && c !== null));
  return e;
}

const button = (text, onclick) => make("button", { type: "button", textContent: text, onclick });

function bind(checkout, form, place) {
  const host = place ?? form.parentNode.insertBefore(make("div"), form.nextSibling);
  const panel = drawPanel(checkout, host.shadowRoot ?? host.attachShadow({ mode: "open" }));
  let message = form.querySelector("[data-makegood=message]");
  if (!message) form.append(message = make("div"));
  message.id ||= "makegood-message";
  message.setAttribute("role", "alert");
  message.setAttribute("tabindex", "-1");

  const details = () => {
    const data = new FormData(form);
    return { email: String(data.get("email") ?? "").trim(), name: String(data.get("name") ?? "").trim() };
  };
  const buttons = () => form.querySelectorAll("button:not([type=button]), input[type=submit]");
  const send = (e) => { e.preventDefault(); checkout.submit(details()); };
  form.addEventListener("submit", send);
  checkout.addEventListener("close", () => form.removeEventListener("submit", send));

  const draw = () => {
    const { phase, words, fields, mayRepeat, mayStartNew } = checkout.state;
    const inForm = phase === "open" || phase === "busy", hadFocus = form.contains(document.activeElement) || document.activeElement === document.body;
    form.hidden = !inForm;
    host.hidden = inForm;
    form.setAttribute("aria-busy", String(phase === "busy"));
    // Not the disabled attribute: it would take the focus away from whoever pressed it.
    for (const b of buttons()) b.setAttribute("aria-disabled", String(phase === "busy"));
    message.dataset.tone = phase === "busy" ? "wait" : "stop";
    message.replaceChildren(...[
      words?.title && make("strong", { textContent: words.title }),
      words?.lead && make("p", { textContent: words.lead }),
      words?.next && make("p", { textContent: words.next }),
      mayRepeat && button(WORDS.checkout.say.buy_again, () => checkout.submit({ ...details(), allowRepeat: true })),
      mayStartNew && button(WORDS.checkout.say.start_new, () => { checkout.startNew(); checkout.submit(details()); }),
    ].filter(Boolean));
    message.hidden = !inForm || !message.childNodes.length;
    for (const field of form.querySelectorAll("[aria-invalid][aria-describedby=" + message.id + "]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
    let wrong = null;
    for (const [name, says] of Object.entries(fields ?? {})) {
      const field = form.elements[name];
      message.append(make("p", { textContent: `${field?.labels?.[0]?.textContent.trim() || name}: ${says}` }));
      if (!field?.setAttribute) continue;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", message.id);
      wrong ??= field;
    }
    if (!inForm) panel(hadFocus);
    else if (wrong) wrong.focus();
  };
  checkout.addEventListener("change", draw);
  draw();
}

// drawPanel draws the order's page into a root of its own.
function drawPanel(checkout, root) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const heading = make("h2", { tabIndex: -1 }), told = make("div"), around = make("div");
  told.setAttribute("role", "status");
  told.append(heading);
  root.replaceChildren(make("section", {}, told, around));
  let shown = "";
  return (focus) => {
    const { phase, situation, words, order, reference, reference_short: short, stale } = checkout.state;
    const { around: w, checkout: { say } } = WORDS;
    const { support_email: mail } = checkout.contact;
    root.firstChild.className = ["ready", "ready_late", "renewed", "setting_up", "extending"].includes(situation) ? "good" : phase === "done" ? "stop" : "wait";
    heading.textContent = words.title;
    const kept = stale && fill(w.stale, { time: moment(stale, Date.now()) });
    told.replaceChildren(heading, ...[words.lead, words.promise, words.next, words.offer, kept].filter(Boolean).map((textContent) => make("p", { textContent })));
    const actions = [];
    if (phase === "act") actions.push(button(say.continue, () => checkout.proceed()));
    if (phase === "act" && situation === "authenticate") actions.push(button(say.another_card, () => checkout.anotherCard()));
    if (phase === "following") actions.push(button(w.look_again, () => checkout.lookNow()));
    if (phase === "done" || phase === "act") actions.push(button(say.start_new, () => checkout.startNew()));
    const facts = [[say.amount, order?.amount_display], [WORDS.steps.payment_received, order?.charged_at && moment(order.charged_at, Date.now())]].filter(([label, value]) => label && value);
    const subject = encodeURIComponent(fill(w.mail_subject, { short })), body = encodeURIComponent(fill(w.mail_body, { reference }) + "\n\n");
    const [before, after] = w.questions_help.split("{mail}");
    around.replaceChildren(...[
      facts.length && make("dl", {}, ...facts.map(([label, value]) => make("div", {}, make("dt", { textContent: label }), make("dd", { textContent: value })))),
      reference && make("p", { className: "ref" }, make("span", { textContent: w.reference }), make("strong", { textContent: short }), make("small", { textContent: reference }),
        navigator.clipboard && button(w.copy, (e) => navigator.clipboard.writeText(reference).then(() => { e.target.textContent = w.copied; }))),
      actions.length && make("p", { className: "actions" }, ...actions),
      mail && make("p", { className: "help" }, before, make("a", { href: `mailto:${encodeURIComponent(mail)}?subject=${subject}&body=${body}`, textContent: mail }), after),
      reference && make("p", { className: "help" }, make("a", { href: `${checkout.options.edge}/payment-issue?ref=${reference}`, textContent: say.own_page })),
    ].filter(Boolean));
    if (focus && shown !== phase) heading.focus();
    shown = phase;
  };
}
