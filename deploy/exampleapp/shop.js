const { createCheckout } = await import(document.body.dataset.makegood + "/makegood.js");
window.checkout = createCheckout({ plan: "annual", checkout: "HOSTED", form: document.getElementById("buy"), status: document.getElementById("status") });
