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
      return answer.error ? { error: answer.error } : { paymentIntent: answer };
    }

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
      else if (data.payment_method) params.payment_method_data = { type: "card", ...data.payment_method };
      if (data.return_url) params.return_url = data.return_url;
      if (data.receipt_email) params.receipt_email = data.receipt_email;
      if (data.setup_future_usage) params.setup_future_usage = data.setup_future_usage;
      const result = await call("POST", intentPath(clientSecret) + "/confirm", params);
      const asks = result.paymentIntent && result.paymentIntent.status === "requires_action";
      return asks && options.handleActions !== false ? handleNextAction({ clientSecret }) : result;
    }

    return { confirmCardPayment, handleNextAction, retrievePaymentIntent, handleCardAction: (clientSecret) => handleNextAction({ clientSecret }) };
  }

  // The bank's page in a frame over the shop's, until it says that it is done.
  function showAuthentication(address, id) {
    return new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.name = "stripe-3ds";
      frame.title = "3-D Secure";
      frame.src = address;
      frame.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0;background:#fff;z-index:2147483647";
      window.addEventListener("message", function listen(event) {
        if (event.origin !== base || !event.data || event.data.stripesim !== "3ds" || event.data.paymentIntent !== id) return;
        window.removeEventListener("message", listen);
        frame.remove();
        done();
      });
      document.body.append(frame);
    });
  }

  function append(form, name, value) {
    if (value === undefined || value === null) return;
    if (typeof value !== "object") return form.append(name, value);
    for (const [k, v] of Object.entries(value)) append(form, name ? `${name}[${k}]` : k, v);
  }

  window.Stripe = Stripe;
})();
