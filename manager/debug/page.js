"use strict";
(() => {
  const every = 2000; // milliseconds
  const live = document.getElementById("live");
  const state = document.getElementById("live-state");
  const search = document.getElementById("search");
  let timer, running, paused = false, fresh = Date.now();

  // morph makes a into b and keeps what is equal: the selection, the focus and the places stay.
  function morph(a, b) {
    if (a.isEqualNode(b)) return;
    if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) return a.replaceWith(b);
    if (a.nodeType !== Node.ELEMENT_NODE) { a.nodeValue = b.nodeValue; return }
    for (const { name } of [...a.attributes]) if (!b.hasAttribute(name)) a.removeAttribute(name);
    for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
    const known = new Map();
    for (const c of a.children) if (c.id) known.set(c.id, c);
    let at = a.firstChild;
    for (const c of [...b.childNodes]) {
      const old = c.id && known.get(c.id);
      if (old) {
        known.delete(c.id);
        if (old === at) at = at.nextSibling; else a.insertBefore(old, at);
        morph(old, c);
      } else if (at && !at.id && !c.id && at.nodeName === c.nodeName) {
        const next = at.nextSibling;
        morph(at, c);
        at = next;
      } else a.insertBefore(c, at);
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next }
  }

  function show(name, text) { state.className = name; state.textContent = text }

  function again() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(refresh, every);
  }

  async function refresh() {
    clearTimeout(timer);
    if (running) running.abort(); // the answer to an older request must not replace a newer one
    const mine = running = new AbortController();
    try {
      const answer = await fetch(location.href, { signal: mine.signal, cache: "no-store", headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("live");
      if (mine.signal.aborted) return;
      if (!next) throw new Error(answer.statusText);
      morph(live, next);
      document.title = page.title;
      fresh = Date.now();
      show(paused ? "paused" : "", paused ? "paused" : "live");
    } catch {
      if (mine.signal.aborted) return;
      show("stale", "no answer for " + Math.round((Date.now() - fresh) / 1000) + " s");
    }
    again();
  }

  state.hidden = false;
  state.addEventListener("click", () => {
    paused = !paused;
    show(paused ? "paused" : "", paused ? "paused" : "live");
    if (paused) clearTimeout(timer); else refresh();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) refresh() });
  if (search.dataset.here) {
    search.form.addEventListener("submit", (e) => { e.preventDefault(); refresh() });
    search.addEventListener("input", () => {
      const query = new URLSearchParams(location.search);
      query.delete("page");
      if (search.value) query.set("q", search.value); else query.delete("q");
      history.replaceState(null, "", "?" + query);
      clearTimeout(timer);
      timer = setTimeout(refresh, 150);
    });
  }
  again();
})();
