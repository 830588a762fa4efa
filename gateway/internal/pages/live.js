"use strict";
// Keeps the page true while it is open: hears of news, has the page drawn again
// by the server, and puts what is new in place of what was. What is said is
// decided there alone; here are no words and no rules about orders.
(() => {
  const live = document.getElementById("live");
  const noNewsWords = document.getElementById("no-news");
  const say = document.getElementById("say");
  const language = (navigator.languages || []).find((l) => l.split("-")[0] === document.documentElement.lang) || document.documentElement.lang;

  // Times as the reader's own clock shows them.
  const time = { hour: "numeric", minute: "2-digit" };
  const date = { day: "numeric", month: "long" };
  function showTime(element, at) {
    const today = at.toDateString() === new Date().toDateString();
    const form = {
      clock: today ? time : { ...date, ...time },
      moment: { ...date, year: "numeric", ...time },
      day: { ...date, year: "numeric", timeZone: "UTC" }, // the date that the mails name
    }[element.dataset.form];
    element.textContent = new Intl.DateTimeFormat(language, form).format(at);
  }
  function showTimes() {
    for (const t of live.querySelectorAll("time[data-form]")) showTime(t, new Date(t.dateTime));
  }

  // The reference, copied.
  const copy = document.getElementById("copy");
  if (copy) {
    const whole = document.getElementById("whole");
    const label = copy.textContent;
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(whole.textContent);
      } catch {
        getSelection().selectAllChildren(whole); // then it is at least selected
        if (!document.execCommand("copy")) return;
      }
      copy.textContent = copy.dataset.copied;
      say.textContent = copy.dataset.say;
      setTimeout(() => { copy.textContent = label; say.textContent = ""; }, 4000);
    });
  }

  let drawn = live.innerHTML; // as the server drew it
  let drawnAt = new Date();
  let announced = wordsOf(live);
  showTimes();
  if (!live.dataset.reference) return;

  function wordsOf(root) {
    return Array.from(root.querySelectorAll("[data-say]"), (e) => e.textContent.trim()).join(" ");
  }

  // show puts what is new in place: focus stays where it was, and whoever
  // listens rather than looks is told once.
  function show(page, news) {
    for (const key of ["known", "news", "until"]) live.dataset[key] = news.dataset[key];
    forget();
    const html = news.innerHTML;
    if (html === drawn) return;
    const held = live.contains(document.activeElement) ? document.activeElement.id : "";
    live.replaceChildren(...news.childNodes);
    drawn = html;
    showTimes();
    document.title = page.title;
    if (held) (document.getElementById(held) || document.getElementById("title")).focus({ preventScroll: true });
    const words = wordsOf(live);
    if (words !== announced) say.textContent = announced = words;
  }

  // forget takes back what noNews said.
  function forget() {
    document.getElementById("stale")?.remove();
    for (const hidden of live.querySelectorAll(".promise[hidden]")) hidden.hidden = false;
  }

  // noNews keeps what is known, and says of when it is.
  function noNews() {
    failures++;
    if (live.dataset.known !== "yes" || failures < 2) return;
    const missed = live.dataset.until && new Date(live.dataset.until) < new Date();
    forget();
    const promise = live.querySelector(".promise");
    if (promise && missed) promise.hidden = true;
    live.querySelector(".lead").after(noNewsWords.content.cloneNode(true));
    const stale = document.getElementById("stale");
    if (!missed) document.getElementById("stale-promise").remove();
    showTime(stale.querySelector("time"), drawnAt);
    if (stale.textContent !== say.textContent) say.textContent = stale.textContent;
  }

  let failures = 0;
  let looking = false;
  let lookAgain = false;
  async function look() {
    if (looking) { lookAgain = true; return; }
    looking = true;
    const cut = new AbortController();
    const limit = setTimeout(() => cut.abort(), 10000);
    try {
      const reply = await fetch(location.href, { cache: "no-store", signal: cut.signal });
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const news = page.getElementById("live");
      if (!reply.ok || !news || (news.dataset.known === "no" && live.dataset.known === "yes")) throw new Error("no news");
      failures = 0;
      drawnAt = new Date();
      show(page, news);
    } catch {
      noNews();
    }
    clearTimeout(limit);
    looking = false;
    if (lookAgain) { lookAgain = false; look(); return; }
    plan();
  }

  // News comes as a stream. Without one, and now and then beside it, the page
  // is looked at by itself: also a stream can be held back on its way.
  let stream = null;
  let refused = 0; // a stream that was refused is not asked for again at once
  function listen() {
    if (stream || !window.EventSource || refused-- > 0) return;
    stream = new EventSource("/v1/orders/" + live.dataset.reference + "/events");
    stream.addEventListener("order", look);
    stream.addEventListener("unreachable", look);
    stream.addEventListener("end", () => { hush(); look(); });
    stream.addEventListener("error", () => {
      if (stream && stream.readyState === EventSource.CLOSED) { hush(); refused = 4; }
      plan();
    });
  }
  function hush() {
    if (stream) stream.close();
    stream = null;
  }

  let timer = 0;
  let quiet = 0;
  function plan() {
    clearTimeout(timer);
    if (live.dataset.news !== "yes") { hush(); return; }
    listen();
    const open = stream && stream.readyState === EventSource.OPEN && failures === 0;
    quiet = open ? 0 : quiet + 1;
    let wait = open ? 30000 : Math.min(30000, 2000 * 1.3 ** quiet) * (0.8 + 0.4 * Math.random());
    const left = new Date(live.dataset.until) - new Date() + 500; // NaN without a promise
    if (left > 0 && left < wait) wait = left;
    timer = setTimeout(look, wait);
  }

  addEventListener("online", look);
  addEventListener("pageshow", (e) => { if (e.persisted) look(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  plan();
})();
