// The ticker, the only timer: live parts say hx-trigger="tick2 from:body" (or tick5, tick10, tick60). The swap guard, and what
// goes wrong with requests. A tick that fails is silent at first, then backs off under one note.
(function () {
  "use strict";

  const { $, announce, clockWords, cookie, holdsFocus, holdsSelection, learnTime, now, refreshTimes, say, toast } = etp;

  const PERIODS = [2, 5, 10, 60];
  const nextAt = {};
  const BACK_OFF = [2, 5, 10, 30]; // seconds
  let failures = 0;
  let failedAt = null;
  let retryAt = 0;

  function schedule(period) {
    nextAt[period] = Date.now() + period * 1000 * (0.9 + Math.random() * 0.1);
  }

  function fireTicks(every) {
    for (const period of PERIODS) {
      if (every || Date.now() >= nextAt[period]) {
        schedule(period);
        htmx.trigger(document.body, `tick${period}`);
      }
    }
  }

  function beat() {
    if (document.hidden) return;
    refreshTimes();
    if (etp.isSignedOut) return;
    if (failures) {
      showOffline();
      if (Date.now() < retryAt) return;
      retryAt = Date.now() + 30_000; // one try at a time; its answer moves this
      fireTicks(true);
      return;
    }
    if (navigator.onLine) fireTicks(false);
  }

  const isTick = (config) => /^(tick\d+|fire-due)$/.test(config?.triggeringEvent?.type || "");

  function tickFailed() {
    failedAt ??= now();
    retryAt = Date.now() + BACK_OFF[Math.min(failures, BACK_OFF.length - 1)] * 1000;
    failures += 1;
    showOffline();
  }

  function tickAnswered() {
    if (!failures) return;
    const wasShown = $("#offline-note");
    failures = 0;
    failedAt = null;
    wasShown?.remove();
    document.body.classList.remove("is-stale");
    if (wasShown) announce(gettext("Live again"));
  }

  function showOffline() {
    if (failures < 2) return;
    document.body.classList.add("is-stale");
    let note = $("#offline-note");
    if (!note) {
      $("#interruptions")?.prepend($("#offline-template").content.cloneNode(true));
      note = $("#offline-note");
      if (!note) return;
      $(".offline-now", note).addEventListener("click", () => fireTicks(true));
    }
    $(".offline-since", note).textContent = clockWords(failedAt);
    $(".offline-wait", note).textContent = say(gettext("%(s)s s"), { s: Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)) });
  }

  // --- The swap guard: nothing is exchanged under the reader's hands ----------------------------------------
  const isInUse = (element) => element.matches("[data-still]:hover") || holdsFocus(element) || holdsSelection(element) || Boolean($("details[open].menu, .chip > details[open], dialog[open]", element));
  // Inside a live part, a <details> that the reader opened or closed has data-touched.
  // (One that stays through the swap as it is need not be waited for.)
  const wasOpened = (element) => Boolean($("details[data-touched]:not([hx-preserve])", element));

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { requestConfig, target, elt } = event.detail;
    if (!isTick(requestConfig) || elt.id === "log-live") return;
    if (isInUse(target) || wasOpened(target)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, target, elt } = event.detail;
    if (!isTick(requestConfig) || elt.id === "log-live") return;
    if (isInUse(target) || wasOpened(target)) event.detail.shouldSwap = false;
  });

  document.addEventListener("click", (event) => {
    const details = event.target.closest?.("summary")?.parentElement;
    if (details) details.dataset.touched = "";
  });

  // Cells that refresh by themselves stay while somebody is on them.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const target = event.detail.target;
    if (isTick(event.detail.requestConfig) && (holdsFocus(target) || holdsSelection(target))) event.detail.shouldSwap = false;
  });

  // --- Errors of requests -----------------------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    if (cookie("csrftoken")) event.detail.headers["X-CSRFToken"] = cookie("csrftoken");
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, requestConfig } = event.detail;
    learnTime(xhr.getResponseHeader?.("Date"));
    if (isTick(requestConfig) && xhr.status >= 200 && xhr.status < 500) tickAnswered();
  });

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, requestConfig } = event.detail;
    // Told already: by the session's dialog, or by a toast of the answer's own.
    if (xhr.status === 401 || /"toast"/.test(xhr.getResponseHeader("HX-Trigger") || "")) return;
    if (isTick(requestConfig)) {
      if (xhr.status >= 500) tickFailed();
      return;
    }
    toast({ level: "bad", title: gettext("Not done."), text: say(gettext("The server answered %(status)s. Nothing on this page was changed."), { status: xhr.status }) });
  });

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      if (isTick(event.detail.requestConfig)) tickFailed();
      else toast({ level: "bad", title: gettext("Not done."), text: gettext("The server did not answer. Nothing on this page was changed.") });
    });
  }

  // --- Start --------------------------------------------------------------------------------------------------
  for (const period of PERIODS) schedule(period);
  refreshTimes();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !etp.isSignedOut) fireTicks(true);
  });
  window.addEventListener("online", () => fireTicks(true));
  setInterval(beat, 1000);

  Object.assign(etp, { fireTicks, isTick });
})();
