// A small stand-in for Stripe.js: the calls that a shop with its own payment
// form needs, against the simulator that served this script.
(() => {
  const base = new URL(document.currentScript.src).origin;

  function Stripe(key) {
    async function call(method, path, params) {
      const form = new URLSearchParams({ key });
      append(form, "", params);
      const get = method === "GET";
      let answer;
      try {
        const res = await fetch(base + path + (get ? "?" + form : ""), { method, body: get ? undefined : form });
        answer = await res.json();
      } catch (e) {
        return { error: { type: "api_connection_error", message: String(e) } };
      }
      if (answer.error) return { error: answer.error };
      return answer.object === "payment_method" ? { paymentMethod: answer } : { paymentIntent: answer };
    }

    // A form takes a card element or what it stands for.
    const cardOf = (card) => (card instanceof CardElement ? card.details() : card);

    const intentPath = (secret) => "/v1/payment_intents/" + encodeURIComponent(secret.split("_secret_")[0]);

    const retrievePaymentIntent = (secret) => call("GET", intentPath(secret), { client_secret: secret });

    async function handleNextAction({ clientSecret }) {
      const now = await retrievePaymentIntent(clientSecret);
      const action = now.paymentIntent && now.paymentIntent.next_action;
      if (!action || now.paymentIntent.status !== "requires_action") return outcome(now);
      if (action.redirect_to_url) {
        window.location.assign(action.redirect_to_url.url);
        return new Promise(() => {}); // the page is left
      }
      await showAuthentication(action.use_stripe_sdk.stripe_js, now.paymentIntent.id);
      return outcome(await retrievePaymentIntent(clientSecret));
    }

    // What the customer did not prove is an error, though the request succeeded.
    function outcome(result) {
      const failure = result.paymentIntent && result.paymentIntent.status === "requires_payment_method" && result.paymentIntent.last_payment_error;
      return failure ? { error: failure } : result;
    }

    async function confirmCardPayment(clientSecret, data = {}, options = {}) {
      const params = { client_secret: clientSecret, use_stripe_sdk: true };
      if (typeof data.payment_method === "string") params.payment_method = data.payment_method;
      else if (data.payment_method) params.payment_method_data = { type: "card", ...data.payment_method, card: cardOf(data.payment_method.card) };
      if (data.return_url) params.return_url = data.return_url;
      if (data.receipt_email) params.receipt_email = data.receipt_email;
      if (data.setup_future_usage) params.setup_future_usage = data.setup_future_usage;
      const result = await call("POST", intentPath(clientSecret) + "/confirm", params);
      const asks = result.paymentIntent && result.paymentIntent.status === "requires_action";
      return asks && options.handleActions !== false ? handleNextAction({ clientSecret }) : result;
    }

    const createPaymentMethod = ({ type, card, billing_details }) => call("POST", "/v1/payment_methods", { type, card: cardOf(card), billing_details });
    const elements = () => ({ create: () => new CardElement() });

    return { elements, createPaymentMethod, confirmCardPayment, handleNextAction, retrievePaymentIntent, handleCardAction: (clientSecret) => handleNextAction({ clientSecret }) };
  }

  // The fields of a card. Stripe's own are in a frame of theirs; what is typed
  // here goes nowhere but to the simulator.
  class CardElement {
    #fields = {};

    mount(target) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      const box = document.createElement("div");
      box.style.cssText = "display:flex;flex-wrap:wrap;gap:.5rem";
      for (const [name, label, grow, value] of [["number", "Card number", "1 1 12rem", "4242 4242 4242 4242"], ["expiry", "MM / YY", "0 1 5.5rem", "12 / 34"], ["cvc", "CVC", "0 1 4rem", "123"]]) {
        const field = document.createElement("input");
        Object.assign(field, { value, placeholder: label, inputMode: "numeric", autocomplete: "off" });
        field.dataset.stripe = name;
        field.setAttribute("aria-label", label);
        field.style.cssText = "min-width:0;flex:" + grow + ";border:0;padding:0;background:none;color:inherit;font:inherit";
        this.#fields[name] = field;
        box.append(field);
      }
      place.replaceChildren(box);
    }

    // fill is the stand-in's alone: a test card by its number.
    fill(number) { this.#fields.number.value = number.replace(/(.{4})(?=.)/g, "$1 "); }

    details() {
      const digits = (name) => this.#fields[name].value.replace(/\D/g, ""), expiry = digits("expiry");
      return { number: digits("number"), exp_month: expiry.slice(0, 2), exp_year: expiry.slice(2), cvc: digits("cvc") };
    }
  }

  // The bank's page in a frame over the shop's, until it says that it is done.
  function showAuthentication(address, id) {
    return new Promise((done) => {
      const dialog = document.createElement("dialog"), frame = document.createElement("iframe"), before = document.activeElement;
      dialog.setAttribute("aria-label", "3-D Secure");
      dialog.style.cssText = "width:min(26rem,calc(100vw - 2rem));height:min(25rem,calc(100vh - 2rem));padding:0;border:0;border-radius:12px;overflow:hidden;box-shadow:0 10px 40px #0006";
      frame.name = "stripe-3ds";
      frame.title = "3-D Secure";
      frame.src = address;
      frame.style.cssText = "display:block;width:100%;height:100%;border:0";
      dialog.addEventListener("cancel", (event) => event.preventDefault()); // the bank's page ends it
      window.addEventListener("message", function listen(event) {
        if (event.origin !== base || !event.data || event.data.stripesim !== "3ds" || event.data.paymentIntent !== id) return;
        window.removeEventListener("message", listen);
        dialog.remove();
        if (before) before.focus();
        done();
      });
      dialog.append(frame);
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  function append(form, name, value) {
    if (value === undefined || value === null) return;
    if (typeof value !== "object") return form.append(name, value);
    for (const [k, v] of Object.entries(value)) append(form, name ? `${name}[${k}]` : k, v);
  }

  window.Stripe = Stripe;
})();
