// The event log: new rows go in on top while the reader is at the top and touches nothing; else only their number is asked for.
(function () {
  "use strict";

  const { $, all, announce, clockWords, holdsFocus, holdsSelection, isHovered, now, say } = etp;

  const MOST_ROWS = 200;
  const AT_TOP = 40; // pixels
  let wantsNews = false; // the reader pressed "N new events"
  let lastAnnounced = 0;

  const rows = () => $("#log-rows");
  const isPaused = () => sessionStorage.getItem("log") === "paused";

  function isIdleAtTop() {
    const body = rows();
    return !body || (window.scrollY <= AT_TOP && !isHovered(body) && !holdsFocus(body) && !holdsSelection(body));
  }

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "log-live") return;
    const found = all("#log-rows tr[data-id]");
    const parameters = event.detail.parameters;
    parameters.since = found[0]?.dataset.id || "0";
    parameters.unfinished = isPaused() ? "" : found.filter((row) => row.dataset.unfinished).map((row) => `${row.dataset.id}.${row.dataset.unfinished}`).join(",");
    if (event.detail.elt.hasAttribute("data-late")) parameters.shown = found.map((row) => row.dataset.id).join(",");
    parameters.waiting = $("#log-news [data-count]")?.dataset.count || "0";
    if (!wantsNews && (isPaused() || !isIdleAtTop())) parameters.only = "count";
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.elt.id !== "log-live" || event.detail.requestConfig.parameters.get?.("only") === "count") return;
    // In the meantime the reader came back to it: ask again, then for the number only.
    if (!wantsNews && (isPaused() || !isIdleAtTop())) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const target = event.detail.target;
    if (target.matches?.("#log-rows > tr") && (isHovered(target) || holdsFocus(target) || holdsSelection(target))) {
      event.detail.shouldSwap = false;
    }
  });

  let shownBefore = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "log-live") shownBefore = new Set(all("#log-rows tr[data-id]").map((row) => row.dataset.id));
  });

  // After rows came on top, or after the whole region was read anew because it lacked some.
  function tintNews() {
    const fresh = all("#log-rows tr[data-id]").filter((row) => !shownBefore.has(row.dataset.id));
    for (const row of fresh) {
      row.classList.add("is-new");
      setTimeout(() => row.classList.remove("is-new"), 6000);
    }
    for (const row of all("#log-rows tr").slice(MOST_ROWS)) row.remove();
    sayNews(fresh.length, fresh.filter((row) => row.classList.contains("is-failed")).length);
    if (wantsNews) {
      window.scrollTo({ top: 0, behavior: "instant" });
      $("a", fresh[0])?.focus({ preventScroll: true });
    }
  }

  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (event.detail.target.id === "log-rows" && shownBefore) tintNews();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const { target, requestConfig } = event.detail;
    if (requestConfig?.elt?.id === "log-live" && target.id === "log" && shownBefore?.size) tintNews();
    if (requestConfig?.elt?.id === "log-filters") {
      shownBefore = null;
      const count = all("#log-rows tr[data-id]").length;
      announce($("#log .empty h2")?.textContent || say(ngettext("%(count)s event shown", "%(count)s events shown", count), { count }));
    }
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.id !== "log-live") return;
    wantsNews = false;
    if (event.detail.successful) updatedAt = now();
  });

  function sayNews(count, failed) {
    if (!count || Date.now() - lastAnnounced < 10_000) return;
    lastAnnounced = Date.now();
    const words = say(ngettext("%(count)s new event", "%(count)s new events", count), { count });
    announce(failed ? say(gettext("%(news)s, %(failed)s failed"), { news: words, failed }) : words);
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#log-news a")) {
      event.preventDefault();
      wantsNews = true;
      htmx.trigger("#log-live", "load-news");
    }
    const live = event.target.closest?.("#live-switch");
    if (live) {
      sessionStorage.setItem("log", isPaused() ? "live" : "paused");
      showLive();
      if (!isPaused()) htmx.trigger(document.body, "tick2");
    }
  });

  let updatedAt = now();
  let pausedAt = null;

  function showLive() {
    const live = $("#live-switch");
    if (!live) return;
    // An older page has nothing that could come in on top.
    const canBeLive = Boolean($("#log-live"));
    const isLive = canBeLive && !isPaused();
    live.disabled = !canBeLive;
    live.title = canBeLive ? "" : gettext("Live is for the newest page");
    live.setAttribute("aria-checked", String(isLive));
    live.classList.toggle("is-paused", !isLive);
    $(".live-words", live).textContent = isLive ? gettext("Live") : gettext("Paused");
    pausedAt = isLive ? null : (pausedAt ?? now());
    sayUpdated();
  }

  function sayUpdated() {
    const updated = $("#log-updated");
    if (!updated || !$("#log-live")) return;
    const seconds = Math.max(0, Math.round((now() - updatedAt) / 1000));
    if (pausedAt) updated.textContent = say(gettext("Paused at %(time)s"), { time: clockWords(pausedAt) });
    else updated.textContent = seconds < 60 ? say(gettext("Updated %(s)s s ago"), { s: seconds }) : say(gettext("Updated %(min)s min ago"), { min: Math.floor(seconds / 60) });
  }

  function markScrolled() {
    $("#log")?.classList.toggle("is-scrolled", window.scrollY > 160);
  }

  document.addEventListener("second", sayUpdated);
  document.addEventListener("htmx:afterSettle", () => {
    showLive();
    markScrolled();
  });
  window.addEventListener("scroll", markScrolled, { passive: true });
  showLive();
  markScrolled();
})();
