// A little help for those who have scripts; every page works without.
addEventListener("DOMContentLoaded", () => {
	// A time in the reader's own zone, beside the one that all of us share.
	const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
	for (const time of document.querySelectorAll("time")) {
		time.title += "\nHere: " + local.format(new Date(time.dateTime));
	}

	// A form is sent once; its key makes a second time harmless, and this spares it.
	for (const form of document.querySelectorAll("form[data-once]")) {
		form.addEventListener("submit", (event) => {
			if (form.dataset.sent) return event.preventDefault();
			form.dataset.sent = "yes";
			for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-busy", "true");
		});
	}
	// Coming back by the back button finds the form as it was.
	addEventListener("pageshow", () => {
		for (const form of document.querySelectorAll("form[data-sent]")) {
			delete form.dataset.sent;
			for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
		}
	});

	for (const button of document.querySelectorAll("button[data-copy]")) {
		button.hidden = false;
		button.addEventListener("click", async () => {
			const from = document.getElementById(button.dataset.copy);
			await navigator.clipboard.writeText(from.value ?? from.textContent);
			const said = button.textContent;
			button.textContent = "Copied";
			document.getElementById("say").textContent = "Copied.";
			setTimeout(() => { button.textContent = said; }, 2000);
		});
	}

	// Inside a list, j and k go down and up. Nowhere else: a key alone must do nothing
	// to somebody who speaks to their machine.
	addEventListener("keydown", (event) => {
		const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
		const row = document.activeElement?.closest("[data-row]");
		if (!step || !row || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input,textarea,select")) return;
		const rows = Array.from(document.querySelectorAll("[data-row]"));
		const next = rows[rows.indexOf(row) + step];
		if (!next) return;
		event.preventDefault();
		(next.querySelector("a") ?? next).focus();
	});
});
