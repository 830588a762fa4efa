(() => {
  // What a machine can see of WCAG 2.2 AA on one page; answers what is wrong.
  const wrong = [];
  const print = matchMedia("print").matches;
  const visible = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 1;
  const all = (s) => Array.from(document.querySelectorAll(s));

  if (document.documentElement.lang !== "en") wrong.push("3.1.1: no language");
  if (!document.title.includes(" · ")) wrong.push("2.4.2: title " + document.title);
  if (all("main").length !== 1 || all("header").length !== 1) wrong.push("1.3.1: landmarks");
  const levels = all("h1,h2,h3,h4,h5,h6").map((e) => Number(e.tagName[1]));
  if (all("h1").length !== 1 || levels[0] !== 1 || levels.some((level, i) => i && level > levels[i - 1] + 1)) wrong.push("1.3.1: headings");
  if (document.querySelector("script") && !document.querySelector("main [role=status][aria-live=polite]")) wrong.push("4.1.3: no live region");
  const ids = all("[id]").map((e) => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("4.1.1: ids " + ids);
  for (const e of all("[aria-labelledby]")) if (!e.getAttribute("aria-labelledby").split(" ").every((id) => document.getElementById(id))) wrong.push("1.3.1: " + e.getAttribute("class") + " has no label");
  for (const e of all("svg")) if (e.getAttribute("aria-hidden") !== "true" && !(e.getAttribute("role") === "img" && e.querySelector("title") && e.querySelector("desc"))) wrong.push("1.1.1: a sign is read out");
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("1.4.10: wider than the window: " + document.documentElement.scrollWidth);
  for (const e of all("main *")) if (visible(e) && !e.closest("svg") && !e.closest("[role=region] > *") && getComputedStyle(e).position !== "absolute" && e.getBoundingClientRect().right > innerWidth + 1) wrong.push("1.4.10: " + e.tagName + "." + e.className + " sticks out");

  // Contrast of each text on what is behind it.
  const parse = (c) => { const n = c.match(/[\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
  const lum = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, k, i) => { const v = c[i] / 255; return sum + k * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !visible(e) || e.closest("svg,option,datalist") || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(e.tagName)) continue;
    const style = getComputedStyle(e), r = ratio(parse(style.color), behind(e));
    if (r < 4.5) wrong.push("1.4.3: " + r.toFixed(2) + " for " + texts.currentNode.data.trim());
    if (parseFloat(style.fontSize) < 14) wrong.push("small: " + style.fontSize + " for " + texts.currentNode.data.trim());
  }

  // What can be used: named, large enough, in order, and its focus seen.
  if (print) {
    if (all(".button").some(visible)) wrong.push("a button on paper");
    return wrong;
  }
  const usable = all("a[href],button,input:not([type=hidden]),select,textarea,summary").filter(visible);
  const fixed = (e) => { for (; e; e = e.parentElement) if (["fixed", "absolute"].includes(getComputedStyle(e).position)) return true; return false; };
  const touch = matchMedia("(pointer: coarse)").matches;
  let last = null;
  for (const e of usable) {
    const seen = e.getBoundingClientRect(), box = new DOMRect(seen.x + scrollX, seen.y + scrollY, seen.width, seen.height), name = (e.getAttribute("aria-label") || (e.labels && e.labels[0] || e).textContent).trim();
    if (!name) wrong.push("4.1.2: nameless " + e.outerHTML);
    if (e.getAttribute("aria-label") && !e.getAttribute("aria-label").startsWith(e.textContent.trim())) wrong.push("2.5.3: the label of " + name + " does not begin with what is seen");
    if (e.classList.contains("button") && (box.width < 24 || box.height < 24)) wrong.push("2.5.8: small " + name);
    if (touch && !e.closest("p,dt,dd,td,label") && !fixed(e) && box.height < 44) wrong.push("2.5.5: " + box.height + " px for a thumb: " + name);
    if (e.tabIndex !== 0) wrong.push("2.4.3: tabindex of " + name);
    if (last && !fixed(e) && ((box.bottom < last.top && box.left < last.right) || (Math.abs(box.top - last.top) < 4 && box.left < last.left))) wrong.push("2.4.3: " + name + " is out of order");
    if (!fixed(e)) last = box;
    e.focus({ focusVisible: true, preventScroll: true });
    const style = getComputedStyle(e);
    if (document.activeElement !== e || style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("2.4.7: focus of " + name + " is not seen");
    else if (ratio(parse(style.outlineColor), behind(e.parentElement)) < 3) wrong.push("1.4.11: focus of " + name);
    e.blur();
  }
  return wrong;
})()
