"use strict";
// Keeps the page of a run that trains up to date: `plaingrad watch` says when there is a new one, and of that
// the parts that differ are taken over.  Comes before page.js, so that it sees the page as it was sent.
(() => {
  const all = (root, selector) => [...root.querySelectorAll(selector)];

  // ---- Taking a new page over ----

  // The parts of a page: what stands in its header, and each child of its main element by name.
  const header = page => page.querySelector("header");
  const count = own => all(own.parentNode, `:scope > ${own.tagName}:not([id])`).indexOf(own);
  const parts = page => new Map([...page.querySelector("main").children].map(own => [own.id || `${own.tagName} ${count(own)}`, own]));
  const source = page => new Map([["", header(page).innerHTML], ...[...parts(page)].map(([name, own]) => [name, own.outerHTML])]);

  // The page as it was sent last; what it is now, scripts have changed.
  let known = source(document);

  // What the reader did to a part, as a function that does the same to its successor.
  function doings(part) {
    const open = all(part, "details").map(own => own.open);
    const series = own => `${own.closest("figure")?.id} ${own.dataset.series}`;
    const pressed = new Map(all(part, "[aria-pressed]").map(own => [series(own), own.getAttribute("aria-pressed")]));
    const sorted = all(part, "thead").map(own => [...own.rows[0].cells].map(cell => cell.getAttribute("aria-sort")));
    const cells = ({ dataset }) => `${dataset.true} ${dataset.predicted}`;
    const chosen = all(part, "a[data-true][aria-current]").map(cells);
    const boxes = "div, pre, table, ul", places = all(part, boxes).map(own => [own.scrollLeft, own.scrollTop]);
    const stops = "a, button, summary, [tabindex]", focused = all(part, stops).indexOf(document.activeElement);
    return successor => {
      all(successor, "details").forEach((own, i) => { own.open = open[i] ?? own.open; });
      for (const own of all(successor, "[aria-pressed]")) {
        if ((pressed.get(series(own)) ?? own.getAttribute("aria-pressed")) !== own.getAttribute("aria-pressed")) own.click();
      }
      all(successor, "thead").forEach((own, i) => [...own.rows[0].cells].forEach((cell, column) => {
        const wanted = sorted[i]?.[column], button = cell.querySelector("button");
        for (let turn = 0; turn < 2 && button && wanted && cell.getAttribute("aria-sort") !== wanted; turn++) button.click();
      }));
      for (const own of all(successor, "a[data-true]")) if (chosen.includes(cells(own))) own.click();
      all(successor, boxes).forEach((own, i) => { if (places[i]?.some(Boolean)) own.scrollTo(...places[i]); });
      if (focused >= 0) all(successor, stops)[focused]?.focus({ preventScroll: true });
    };
  }

  function replaceHeader(fresh) {
    for (const own of [...header(document).childNodes]) if (own !== sign) own.remove();
    header(fresh).querySelector("#live").remove();
    sign.before(...[...header(fresh).childNodes].map(own => document.adoptNode(own)));
  }

  function take(fresh) {
    const main = document.querySelector("main"), now = source(fresh), old = parts(document);
    const seen = [...old].find(([, own]) => own.getBoundingClientRect().bottom > 0);
    const before = seen?.[1].getBoundingClientRect().top;

    document.title = fresh.title;
    if (now.get("") !== known.get("")) replaceHeader(fresh);
    for (const [name, own] of old) if (!now.has(name)) own.remove();
    let last = null;
    for (const [name, sent] of parts(fresh)) {
      const there = old.get(name), own = there && now.get(name) === known.get(name) ? there : document.adoptNode(sent);
      const again = there && own !== there ? doings(there) : () => {};
      if (own !== there) there?.replaceWith(own);
      if (!own.isConnected || own.previousElementSibling !== last) last ? last.after(own) : main.prepend(own);
      if (own !== there) plaingrad.enliven(own);
      again(own);
      last = own;
    }
    known = now;

    // What was read stays where it was, whatever grew above it.
    const after = seen && parts(document).get(seen[0]);
    if (after && scrollY > 0) scrollBy({ top: after.getBoundingClientRect().top - before, behavior: "instant" });
  }

  // ---- The sign: whether the page is up to date ----

  const sign = document.getElementById("live"), word = document.createElement("span"), time = document.createElement("span");
  time.setAttribute("aria-hidden", "true"); // who listens to the page hears what changes, not every time of day
  word.textContent = sign.textContent;
  sign.replaceChildren(word, time);

  function say(what, when = "") {
    if (word.textContent !== what) word.textContent = what;
    time.textContent = when;
  }

  async function update(told) {
    let answer, text;
    try {
      answer = await fetch(".", { cache: "no-store" });
      text = await answer.text();
    } catch {
      return say("connection lost, trying again");
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (!answer.ok) return say(fresh.querySelector("#problem")?.textContent ?? "the server has no page");
    take(fresh);
    return told === "end" ? say("the run has ended") : say("live", `, updated ${new Date().toLocaleTimeString("en-GB")}`);
  }

  // ---- The server ----

  document.documentElement.style.overflowAnchor = "none"; // `take` holds the place itself
  const server = new EventSource("events");
  let updates = Promise.resolve(); // one after the other
  for (const told of ["page", "end"]) server.addEventListener(told, () => { updates = updates.then(() => update(told).catch(reportError)); });
  server.addEventListener("error", () => {
    say(server.readyState === EventSource.CLOSED ? "connection lost; load the page again" : "connection lost, trying again");
  });
})();
