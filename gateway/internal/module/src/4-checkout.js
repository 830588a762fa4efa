// ---- One purchase -----------------------------------------------------------

// Checkout takes one purchase of one plan from the click to its end. Its state
// changes with a "change" event:
//   phase      open (the form may be sent), busy, act (the buyer must confirm),
//              following (we ask until we know), done (the order rests)
//   situation  what it is about; words: title, lead, next, promise, offer
//   order      as the edge last told it; reference, reference_short
//   fields     what is wrong with which field; mayRepeat: a second one may be bought
//   stale      since when (ms) nothing was heard, while the order is an old one
class Checkout extends EventTarget {
  #kept; #contact; #storage; #name; #gone = new AbortController();
  #busy = null; #order = null; #unsettled = null; #details = null;
  #turn = 0; #wake = () => {}; #hangUp = () => {}; #heard = 0; #noStreamUntil = 0;

  constructor(options) {
    super();
    const edge = String(options.edge ?? new URL(SCRIPT).origin).replace(/\/+$/, "");
    if (!options.plan) throw new TypeError("createCheckout: name the plan");
    this.options = { ...options, edge };
    this.#storage = options.storage ?? usualStorage();
    this.#name = `makegood:${edge}:${options.plan}`;
    this.#kept = keeper(this.#storage, this.#name);
    this.#contact = keeper(this.#storage, `makegood:${edge}`);
    this.state = { phase: "open", fields: {} };
    const on = (target, type, heard) => target.addEventListener(type, heard, { signal: this.#gone.signal });
    on(window, "storage", (e) => { if (e.key === this.#name) this.#otherTab(); });
    on(window, "pageshow", (e) => { if (e.persisted && !this.#busy) this.resume(); });
    on(window, "online", () => this.lookNow());
    on(document, "visibilitychange", () => { if (!document.hidden) this.lookNow(); });
    this.#learnContact();
    this.ready = this.resume();
  }

  // contact is whom to write to, also while the edge cannot be reached.
  get contact() { return { support_email: this.options.supportEmail, app_name: this.options.appName, ...this.#contact.read() }; }

  async #learnContact() {
    const { said } = await ask(this.options.edge, "GET", "/v1/config");
    if (said?.support_email) this.#contact.write({ support_email: said.support_email, app_name: said.app_name });
  }

  // resume takes up what was begun before a reload, in another tab, or before
  // the buyer went back to this page. It settles when the first answer is there.
  async resume() {
    const kept = this.#kept.read();
    if (kept?.rested && Date.now() - kept.rested > PATIENCE.remember) this.#kept.write(null);
    else if (kept?.sent) {
      this.#follow(kept.rested ? null : "asking");
      await this.#firstLook;
    }
  }

  // submit sends the purchase: { email, name, paymentMethod, allowRepeat }. While
  // one is under way, or may have been paid, it sends nothing.
  submit(details) {
    if (this.#busy) return this.#busy;
    if (["following", "done", "busy"].includes(this.state.phase)) return Promise.resolve(this.state);
    this.#busy = this.#submit(details).finally(() => { this.#busy = null; });
    return this.#busy;
  }

  // proceed goes on with a confirmation or a page that the buyer left.
  proceed() {
    if (this.state.phase !== "act" || !this.#order) return Promise.resolve(this.state);
    this.#busy ??= this.#take(this.#order).finally(() => { this.#busy = null; });
    return this.#busy;
  }

  // anotherCard opens the form again for an order that waits for its buyer.
  anotherCard() {
    if (this.state.phase !== "act" || this.#busy) return;
    this.#stop();
    this.#show("open", "card_needed");
  }

  // startNew lets the reference go: what is sent next is another purchase.
  startNew() {
    if (this.#busy || this.state.phase === "following") return;
    this.#stop();
    this.#kept.write(null);
    this.#order = this.#unsettled = null;
    this.#show("open", null);
  }

  // lookNow asks at once instead of at the next turn.
  lookNow() { this.#wake(); }

  // close ends everything that this object does; the order goes on without it.
  close() {
    this.#stop();
    this.#gone.abort();
    this.dispatchEvent(new Event("close"));
  }

  async #submit(details) {
    const before = this.#order, { plan, currency, edge } = this.options;
    const kind = this.options.checkout ?? (this.options.card || details.paymentMethod ? "SERVER" : undefined);
    this.#stop();
    this.#details = details;
    this.#show("busy", "sending");
    const method = await this.#paymentMethod(kind, details);
    if (method.error) return this.#refuse("card_problem", { next: method.error.message });

    const answer = await locked(this.#storage, this.#name + ":lock", async () => {
      const kept = this.#kept.read();
      if (kept?.sent && kept.reference !== before?.reference) {
        // Something was sent that this page has not seen the end of.
        const seen = await ask(edge, "GET", `/v1/orders/${kept.reference}`);
        if (!seen.refused && !(seen.order && mayPay(seen.order))) return { ...seen, follow: true };
        this.#order = seen.order ?? null;
      }
      const reference = kept && !kept.rested ? kept.reference : uuid();
      this.#kept.write({ reference, sent: Date.now() }); // before anything is sent
      this.#show("busy", "sending");
      const place = { path: "/v1/orders", key: reference, wait: PATIENCE.answer, body: {
        plan_id: plan, currency, email: details.email, name: details.name, checkout: kind,
        payment_method: method.id, allow_repeat: details.allowRepeat || undefined } };
      const placed = await this.#send(place);
      const again = this.#order?.reference === reference && kind === "SERVER" && placed.order && mayPay(placed.order);
      if (!again) return placed;
      // The details are those of this order, so this is another card for it.
      return this.#send({ path: `/v1/orders/${reference}:pay`, wait: PATIENCE.answer, body: { attempt_id: uuid(), payment_method: method.id } });
    });
    if (!answer) return this.#follow("elsewhere");
    if (answer.follow) return answer.order ? this.#take(answer.order) : this.#follow("asking");
    return this.#settle(answer, kind === "CLIENT");
  }

  async #paymentMethod(kind, details) {
    if (kind !== "SERVER" || details.paymentMethod) return { id: details.paymentMethod };
    try {
      const stripe = await this.options.stripe;
      const billing_details = { email: details.email || undefined, name: details.name || undefined };
      const { paymentMethod, error } = await stripe.createPaymentMethod({ type: "card", card: this.options.card, billing_details });
      return error ? { error } : { id: paymentMethod.id };
    } catch {
      return { error: { message: "" } };
    }
  }

  // send remembers the request until something is known, so that it can be
  // repeated exactly: that is the same order or the same attempt.
  async #send(request) {
    if (this.#unsettled !== request) this.#unsettled = { ...request, until: Date.now() + PATIENCE.resend };
    const answer = await ask(this.options.edge, "POST", request.path, request);
    if (answer.order || answer.refused) this.#unsettled = null;
    return answer;
  }

  // settle says what an answer means to the buyer.
  async #settle({ order, refused }, freshCard = false) {
    if (order) return this.#take(order, freshCard);
    if (!refused) return this.#follow("asking");
    switch (refused.reason) {
      case "DUPLICATE_PURCHASE": return this.#refuse("duplicate", { mayRepeat: true });
      case "IDEMPOTENCY_KEY_REUSED": return this.#otherDetails();
      case "PAYMENT_IN_PROGRESS": case "INVALID_STATE": case "ORDER_NOT_FOUND": return this.#follow("asking");
      case "TOO_MANY_ATTEMPTS": return this.#refuse("too_many");
      case "CHARGES_PAUSED": return this.#refuse("paused");
    }
    return this.#refuse("invalid", { fields: refused.fields, next: Object.keys(refused.fields).length ? "" : refused.message });
  }

  // refuse: the edge's no came before anything was written or charged.
  #refuse(situation, more = {}) {
    const kept = this.#kept.read();
    if (kept && !this.#order) this.#kept.write({ reference: kept.reference }); // nothing is there to be asked for
    this.#show("open", situation, more);
    return this.state;
  }

  // otherDetails: the reference belongs to an order with another address or plan.
  async #otherDetails() {
    const reference = this.#kept.read()?.reference;
    const { order, refused } = await ask(this.options.edge, "GET", `/v1/orders/${reference}`);
    if (order?.state === "FAILED" || order?.state === "EXPIRED" || refused) {
      this.#kept.write(null); // nothing was paid on it: this is a new order
      this.#order = null;
      return this.#submit(this.#details);
    }
    if (!order || !mayPay(order)) return order ? this.#take(order) : this.#follow("asking");
    this.#order = order;
    this.#show("open", "other_details", { mayStartNew: true });
    return this.state;
  }

  // take does what an order asks for now.
  async #take(order, freshCard) {
    const next = order.next_action;
    if (next.type === "USE_STRIPE_SDK" && next.client_secret) return this.#authenticate(order, freshCard);
    if (next.type === "REDIRECT" && /^https?:/.test(next.url)) {
      this.#learn(order);
      this.#show("busy", "away");
      location.assign(next.url);
      return this.state;
    }
    if (!this.#learn(order)) this.#follow(null);
    return this.state;
  }

  // authenticate lets Stripe.js confirm, or ask the bank, and tells the edge.
  // freshCard: the buyer has just named the card to confirm with.
  async #authenticate(order, freshCard) {
    this.#stop();
    this.#order = order;
    this.#show("busy", "authenticating");
    const secret = order.next_action.client_secret, { card } = this.options;
    let failure;
    try {
      const stripe = await this.options.stripe;
      const { paymentIntent: intent, error } = await stripe.retrievePaymentIntent(secret);
      failure = error;
      if (intent?.status === "requires_action" && !freshCard) {
        failure = (await stripe.handleNextAction({ clientSecret: secret })).error;
      } else if (["requires_action", "requires_payment_method", "requires_confirmation"].includes(intent?.status)) {
        const payment_method = this.#details?.paymentMethod ?? (card && { card, billing_details: { name: this.#details?.name || undefined } });
        if (!this.#details || !payment_method) return this.#show("open", "card_needed");
        failure = (await stripe.confirmCardPayment(secret, { payment_method })).error;
      }
    } catch {
      failure = undefined; // Stripe.js is not there, or broke; how it ended is asked now
    }
    const answer = await this.#confirm(order.reference);
    if (answer.order?.next_action.type !== "USE_STRIPE_SDK") return this.#settle(answer);
    // Only Stripe's definite no may be called one; all else is asked for.
    if (!["card_error", "validation_error", "invalid_request_error"].includes(failure?.type)) return this.#follow(null);
    this.#order = answer.order;
    this.#show("open", "card_problem", { next: failure.message });
    return this.state;
  }

  // confirm tells the edge that the buyer is back: it looks at Stripe now.
  #confirm(reference) { return ask(this.options.edge, "POST", `/v1/orders/${reference}:confirm`, { body: {}, wait: PATIENCE.answer }); }

  // learn shows what an order says, and answers whether there is nothing left to
  // ask for. A reference whose order rests is let go.
  #learn(order) {
    const kept = this.#kept.read(), situation = situationOf(order);
    this.#order = order;
    this.#heard = Date.now();
    this.#unsettled = null;
    switch (order.state) {
      case "COMPLETE": case "RECOVERED": case "REFUNDED":
        if (situation === "refunding") break;
        if (!kept || kept.reference === order.reference) this.#kept.write({ reference: order.reference, sent: kept?.sent ?? 1, rested: kept?.rested ?? Date.now() });
        this.#show("done", situation);
        return true;
      case "EXPIRED":
        this.#kept.write(null);
        this.#show("open", "expired");
        this.#order = null;
        return true;
      case "FAILED":
        this.#show("open", "declined", { lead: order.payment_error?.message || undefined });
        return true;
    }
    switch (order.next_action.type) {
      case "USE_STRIPE_SDK": this.#show("act", "authenticate"); break;
      case "REDIRECT": this.#show("act", "away"); break;
      default: this.#show("following", situation);
    }
    return false;
  }

  // follow asks how the order stands until it is known, and goes on doing so after
  // it has answered. firstLook settles when one question was answered or failed.
  #firstLook = null;
  #follow(situation) {
    this.#stop();
    if (situation) this.#show("following", situation);
    this.#firstLook = new Promise((looked) => { this.#keepAsking(this.#turn, looked); });
    return this.state;
  }

  async #keepAsking(turn, looked) {
    const began = Date.now();
    let delay = PATIENCE.first, confirmed = false;
    while (turn === this.#turn) {
      const kept = this.#kept.read();
      let seen = kept ? await ask(this.options.edge, "GET", `/v1/orders/${kept.reference}`) : {};
      if (turn === this.#turn && !confirmed && seen.order?.state === "PENDING" && seen.order.next_action.type !== "WAIT") {
        confirmed = true; // perhaps the buyer did what it waits for, and then left this page
        const now = await this.#confirm(kept.reference);
        if (now.order) seen = now;
      }
      if (turn !== this.#turn) break;
      const lost = seen.refused?.reason === "ORDER_NOT_FOUND";
      if ((lost || seen.order?.state === "FAILED") && this.#mayResend()) {
        looked();
        const answer = await this.#send(this.#unsettled);
        if (turn !== this.#turn) break;
        return this.#settle(answer);
      }
      if (seen.order) {
        if (this.#learn(seen.order)) break;
        looked();
        await this.#listen(turn);
        delay = PATIENCE.first;
      } else if (lost && Date.now() - Math.max(began, kept.sent ?? 0) > PATIENCE.arrive) {
        this.#unsettled = null;
        this.#refuse("not_arrived");
        break;
      } else if (!lost && kept) this.#unreachable();
      looked();
      await this.#pause(delay);
      delay = Math.min(delay * 1.7, PATIENCE.longest);
    }
    looked();
  }

  // mayResend: the buyer is still here, and has clicked a moment ago.
  #mayResend() { return this.#unsettled && Date.now() < this.#unsettled.until && !document.hidden; }

  // listen is told each change while the edge has a stream for us; else it waits.
  #listen(turn) {
    if (!window.EventSource || Date.now() < this.#noStreamUntil) return this.#pause(4 * PATIENCE.first);
    return new Promise((over) => {
      const source = new EventSource(`${this.options.edge}/v1/orders/${this.#order.reference}/events`);
      let opened = false;
      // A connection can be dead without a sound, so it is not relied on for long.
      // And when a time that was named passes, what is said changes without any news.
      const left = promisedFor(this.#order);
      const timer = setTimeout(() => hangUp(), left > 0 ? Math.min(left + 500, PATIENCE.stream) : PATIENCE.stream);
      const hangUp = () => { clearTimeout(timer); source.close(); this.#hangUp = this.#wake = () => {}; over(); };
      this.#hangUp = this.#wake = hangUp; // to look at once is to ask anew
      source.onopen = () => { opened = true; };
      source.onerror = () => { if (!opened) this.#noStreamUntil = Date.now() + 60_000; hangUp(); };
      source.addEventListener("end", hangUp);
      source.addEventListener("unreachable", () => this.#unreachable());
      source.addEventListener("order", (e) => {
        let order;
        try { order = JSON.parse(e.data); } catch { return hangUp(); }
        if (turn !== this.#turn || !isOrder(order) || this.#learn(order)) this.#stop();
      });
    });
  }

  // unreachable says what is known without an answer: what was told before, of when
  // that is, and when a time that was named has passed since, that nobody can see
  // from here whether it was kept.
  #unreachable() {
    if (this.state.phase === "act") return;
    const told = this.#order, known = told && told.reference === this.#kept.read()?.reference && told.state !== "PENDING" && told.state !== "FAILED";
    if (!known) return this.#show("following", "unreachable");
    const passed = promisedFor(told) <= 0 && promisedFor(told, this.#heard) > 0;
    return this.#show("following", situationOf(told, this.#heard), { stale: this.#heard, promise: passed ? WORDS.around.stale_promise : undefined });
  }

  #otherTab() {
    const kept = this.#kept.read(), { phase } = this.state;
    if (this.#busy) return;
    if (kept?.sent && phase !== "following" && kept.reference + kept.rested !== this.#seenOf()) this.#follow(kept.rested ? null : "elsewhere");
    else if (!kept?.sent && phase === "following") { this.#stop(); this.#order = null; this.#show("open", null); }
  }
  #seenOf() { return this.state.phase === "done" ? this.#order.reference + this.#kept.read()?.rested : ""; }

  // stop ends the asking; a turn that is still waiting for an answer drops it.
  #stop() { this.#turn++; this.#hangUp(); this.#wake(); }

  // pause waits, not quite as long for everybody, or until somebody wants to know.
  #pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, ms * (0.75 + Math.random() / 2));
      this.#wake = () => { clearTimeout(timer); done(); };
    });
  }

  #show(phase, situation, { fields = {}, lead, next, promise, stale, ...may } = {}) {
    const order = this.#order, reference = this.#kept.read()?.reference ?? order?.reference ?? "";
    const words = situation ? wordsFor(situation, order) : { title: "", lead: "", next: "", promise: "", offer: "" };
    if (lead !== undefined) words.lead = lead;
    if (next !== undefined) words.next = next;
    if (promise !== undefined) words.promise = promise;
    const state = { phase, situation, words, order, reference, reference_short: reference.slice(0, 8).toUpperCase(), fields, stale, ...may };
    if (JSON.stringify(state) === JSON.stringify(this.state)) return this.state; // nothing to announce twice
    this.state = state;
    this.dispatchEvent(new Event("change"));
    return state;
  }
}

// mayPay: nothing was charged, and another try is the buyer's to make.
const mayPay = (order) => order.state === "FAILED" || (order.state === "PENDING" && order.next_action.type === "USE_STRIPE_SDK");
