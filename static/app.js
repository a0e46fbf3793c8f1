// All behaviour of the pages, in one file; every page works without it. It listens to htmx's events here only.
//
//   1 the server's clock    2 the ticker    3 the swap guard    4 small parts (copy, menus, dialogs, toasts, switches)
//   5 errors of requests    6 a session that ended    7 the event log    8 triggers
(function () {
  "use strict";

  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // --- 1 The server's clock: a wrong clock here must not lie about times there ----------------------------
  let offset = 0; // milliseconds that the server is ahead of us
  const zone = document.documentElement.dataset.zone || "UTC"; // the display zone of the server's pages

  function learnTime(header) {
    const said = Date.parse(header || "");
    // The Date header is cut to the second: correct only what is plainly off.
    if (said && Math.abs(said + 500 - Date.now() - offset) > 1500) offset = said + 500 - Date.now();
  }

  const now = () => Date.now() + offset;

  const clockWords = (instant) => new Date(instant).toLocaleTimeString("en-GB", { timeZone: zone });

  // As dashboard/templatetags/times.py says it.
  function relativeWords(instant) {
    const seconds = Math.trunc((instant - now()) / 1000);
    const size = Math.abs(seconds);
    if (size >= 7 * 86400) return null;
    if (seconds === 0) return instant <= now() ? "just now" : "due";
    if (seconds < 0) {
      if (size < 60) return `${size} s ago`;
      if (size < 3600) return `${Math.floor(size / 60)} min ago`;
      if (size < 86400) return `${Math.floor(size / 3600)} h ago`;
      return `${days(size)} ago`;
    }
    if (size < 60) return `in ${size} s`;
    if (size < 3600) return `in ${Math.floor(size / 60)} min${size % 60 ? ` ${size % 60} s` : ""}`;
    if (size < 86400) {
      const minutes = Math.floor((size % 3600) / 60);
      return `in ${Math.floor(size / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
    }
    return `in ${days(size)}`;
  }

  function days(seconds) {
    const count = Math.floor(seconds / 86400);
    return count === 1 ? "1 day" : `${count} days`;
  }

  function refreshTimes() {
    for (const element of all("time[data-relative]")) {
      const instant = Date.parse(element.dateTime);
      let words = relativeWords(instant);
      // A countdown stops at "due": the next answer of the server says what became of it.
      if (element.hasAttribute("data-countdown") && instant <= now()) {
        words = "due";
        if (now() - instant >= 1000 && now() - instant < 5000) htmx.trigger(element.closest("[hx-get]") || element, "fire-due");
      }
      if (words && element.textContent !== words) element.textContent = words;
    }
    for (const element of all("[data-clock]")) element.textContent = clockWords(now());
    sayUpdated();
  }

  // --- 2 The ticker: the only timer. Live parts say hx-trigger="tick2 from:body" --------------------------
  const PERIODS = [2, 5, 10, 60];
  const nextAt = {};
  const BACK_OFF = [2, 5, 10, 30]; // seconds
  let failures = 0;
  let failedAt = null;
  let retryAt = 0;
  let signedOut = false;

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
    if (signedOut) return;
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
    if (wasShown) announce("Live again");
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
    $(".offline-wait", note).textContent = `${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`;
  }

  // --- 3 The swap guard: nothing is exchanged under the reader's hands ------------------------------------
  const holdsFocus = (element) => element !== document.body && element.contains(document.activeElement);

  function holdsSelection(element) {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.getRangeAt(0).intersectsNode(element));
  }

  const isHovered = (element) => window.matchMedia("(hover: hover)").matches && element.matches(":hover");
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

  // --- 4 Small parts ---------------------------------------------------------------------------------------
  function announce(words) {
    const region = $("#announcements");
    if (region) region.textContent = words;
  }

  document.addEventListener("click", (event) => {
    const copy = event.target.closest?.("[data-copy], [data-copy-from]");
    if (copy) {
      event.preventDefault();
      copyFrom(copy);
    }
    const opener = event.target.closest?.("[data-opens]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.opens);
      if (dialog) {
        event.preventDefault();
        dialog.showModal();
        $("[autofocus]", dialog)?.focus();
      }
    }
    if (event.target.closest?.("[data-closes]")) event.target.closest("dialog")?.close();
    // A menu closes when anything outside it is pressed.
    for (const menu of all("details.menu[open], .chip > details[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    event.target.closest?.(".toast-close")?.closest(".toast-item").remove();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of all("details.menu[open], .chip > details[open]")) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });

  async function copyFrom(button) {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(button.matches("[data-copy-from]") ? await textOf(button.href) : source ? source.textContent : button.dataset.copyText || "");
    } catch {
      toast({ level: "bad", title: "Not copied.", text: "The browser does not allow it here; select the text instead." });
      return;
    }
    const words = $(".copy-words", button);
    if (words) words.dataset.words ??= words.textContent;
    button.classList.add("is-done");
    if (words) words.textContent = "Copied";
    announce("Copied");
    setTimeout(() => {
      button.classList.remove("is-done");
      if (words) words.textContent = words.dataset.words;
    }, 2000);
  }

  // A text that is made only when somebody wants it.
  async function textOf(address) {
    const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
    if (!answer.ok) throw new Error(answer.statusText);
    return (await answer.text()).trimEnd();
  }

  // {"toast": {"level": "ok" | "bad", "title", "text", "href", "label"}} in HX-Trigger, or Django's messages.
  function toast({ level = "ok", title = "", text = "", href = "", label = "" }) {
    const item = $("#toast-template").content.cloneNode(true).firstElementChild;
    item.classList.add(level === "bad" ? "toast-bad" : "toast-ok");
    item.setAttribute("role", level === "bad" ? "alert" : "status");
    $(".toast-title", item).textContent = title;
    $(".toast-text", item).textContent = text;
    const link = $(".toast-link", item);
    if (href && href.startsWith("/") && !href.startsWith("//")) {
      link.href = href;
      link.textContent = label;
    }
    $("#toasts").append(item);
    if (level !== "bad") leaveLater(item);
  }

  // Tabs: one of several parts is shown; without this script all are.
  function chooseTab(tab) {
    for (const each of all("[role=tab]", tab.closest("[role=tablist]"))) {
      const isChosen = each === tab;
      each.setAttribute("aria-selected", String(isChosen));
      each.tabIndex = isChosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).toggleAttribute("data-folded", !isChosen);
    }
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("[data-tabs] [role=tab]");
    if (tab) chooseTab(tab);
  });

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("[data-tabs] [role=tab]");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!tab || !step) return;
    const tabs = all("[role=tab]", tab.closest("[role=tablist]"));
    const next = tabs.at((tabs.indexOf(tab) + step) % tabs.length);
    chooseTab(next);
    next.focus();
  });

  // Good news goes after 5 s, but not while somebody reads it.
  function leaveLater(item) {
    setTimeout(() => (isHovered(item) || holdsFocus(item) ? leaveLater(item) : item.remove()), 5000);
  }

  document.addEventListener("toast", (event) => toast(event.detail));

  // A second press on a button that is at work does nothing; the page that comes back has a new button.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.busy !== undefined) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.dataset.busy = "";
    refreshToken(form);
    // Not disabled at once: a disabled button would not be sent with its form.
    setTimeout(() => setBusy(form, event.submitter, true));
  });

  function setBusy(form, button, busy) {
    if (!busy) delete form.dataset.busy;
    for (const each of all("button:not([type=button])", form)) each.disabled = busy;
    if (!button?.dataset.busyWords) return;
    if (busy) {
      button.dataset.words = button.innerHTML;
      const spinner = document.createElement("span");
      spinner.className = "spinner";
      button.replaceChildren(spinner, button.dataset.busyWords);
    } else if (button.dataset.words !== undefined) {
      button.innerHTML = button.dataset.words;
    }
  }

  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (form.matches?.("form")) setBusy(form, $("button[data-words]", form), false);
  });
  // Back from the next page: the browser may show this one as it was left.
  window.addEventListener("pageshow", () => {
    for (const form of all("form[data-busy]")) setBusy(form, $("button[data-words]", form), false);
  });

  // The CSRF token is read per request: signing in again in the dialog makes a new one.
  const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);

  function refreshToken(form) {
    const field = $("input[name=csrfmiddlewaretoken]", form);
    if (field && cookie("csrftoken")) field.value = cookie("csrftoken");
  }

  // A chip's words follow its boxes.
  document.addEventListener("change", (event) => {
    const chip = event.target.closest?.(".chip");
    if (chip) describeChip(chip);
  });

  function describeChip(chip) {
    const words = $(".chip-words", chip);
    if (!words) return;
    const chosen = all("input:checked", chip).map((box) => box.closest("label, .form-check").textContent.trim().toLowerCase());
    chip.classList.toggle("is-set", chosen.length > 0);
    words.textContent = chosen.length ? chosen.join(", ") : "any";
  }

  document.addEventListener("click", (event) => {
    const clear = event.target.closest?.(".chip-clear[type=button]");
    if (!clear) return;
    const chip = clear.closest(".chip");
    for (const box of all("input:checked", chip)) box.checked = false;
    describeChip(chip);
    clear.form?.dispatchEvent(new Event("change", { bubbles: true }));
    $("summary", chip)?.focus();
  });

  // --- 5 Errors of requests -------------------------------------------------------------------------------
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
    if (xhr.status === 401) return;
    if (isTick(requestConfig)) {
      if (xhr.status >= 500) tickFailed();
      return;
    }
    toast({ level: "bad", title: "Not done.", text: `The server answered ${xhr.status}. Nothing on this page was changed.` });
  });

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      if (isTick(event.detail.requestConfig)) tickFailed();
      else toast({ level: "bad", title: "Not done.", text: "The server did not answer. Nothing on this page was changed." });
    });
  }

  // --- 6 A session that ended: the dialog opens over the page, nothing typed is lost -------------------------
  let toRepeat = null;

  document.addEventListener("session-ended", () => {
    signedOut = true;
    const dialog = $("#session-dialog");
    if (dialog && !dialog.open) dialog.showModal();
  });

  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status === 401 && requestConfig.verb === "get" && !isTick(requestConfig)) toRepeat = requestConfig;
  });

  document.addEventListener("submit", async (event) => {
    const address = event.target.dataset?.signsIn;
    if (!address) return;
    event.preventDefault();
    const form = event.target;
    const error = $("#session-error");
    error.textContent = "";
    let answer;
    try {
      // A fresh token first: the old one went with the session. A redirect is the sign that the password was right.
      await fetch(address, { credentials: "same-origin" });
      answer = await fetch(address, {
        method: "POST",
        credentials: "same-origin",
        redirect: "manual",
        headers: { "X-CSRFToken": cookie("csrftoken") || "" },
        body: new URLSearchParams(new FormData(form)),
      });
    } catch {
      error.textContent = "The server did not answer. Try again.";
      return;
    }
    if (answer.type !== "opaqueredirect") {
      error.textContent = answer.status === 429 ? "Too many tries. Wait a while." : "This password is not right.";
      $("#session-password").select();
      return;
    }
    form.reset();
    form.closest("dialog").close();
    signedOut = false;
    if (toRepeat) htmx.ajax(toRepeat.verb, toRepeat.path, { source: toRepeat.elt, target: toRepeat.target });
    toRepeat = null;
    fireTicks(true);
  });

  // --- 7 The event log --------------------------------------------------------------------------------------
  // New rows go in on top while the reader is at the top and touches nothing; else only their number is asked for.
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
      announce($("#log .empty h2")?.textContent || `${count} events shown`);
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
    announce(`${count} new ${count === 1 ? "event" : "events"}${failed ? `, ${failed} failed` : ""}`);
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#log-news a")) {
      event.preventDefault();
      wantsNews = true;
      htmx.trigger("#log-live", "load-news");
    }
    const more = event.target.closest?.(".filter-more");
    if (more) more.setAttribute("aria-expanded", String(document.getElementById(more.getAttribute("aria-controls")).classList.toggle("is-open")));
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
    live.title = canBeLive ? "" : "Live is for the newest page";
    live.setAttribute("aria-checked", String(isLive));
    live.classList.toggle("is-paused", !isLive);
    $(".live-words", live).textContent = isLive ? "Live" : "Paused";
    pausedAt = isLive ? null : (pausedAt ?? now());
    sayUpdated();
  }

  function sayUpdated() {
    const updated = $("#log-updated");
    if (!updated || !$("#log-live")) return;
    const seconds = Math.max(0, Math.round((now() - updatedAt) / 1000));
    if (pausedAt) updated.textContent = `Paused at ${clockWords(pausedAt)}`;
    else updated.textContent = seconds < 60 ? `Updated ${seconds} s ago` : `Updated ${Math.floor(seconds / 60)} min ago`;
  }

  function markScrolled() {
    $("#log")?.classList.toggle("is-scrolled", window.scrollY > 160);
  }

  // --- 8 Triggers: questions before a deed, results that are said aloud, passwords, the form ------------------
  document.addEventListener("htmx:afterSwap", (event) => {
    const fresh = event.target;
    const dialog = fresh.id === "dialogs" && $("dialog[data-open]", fresh);
    if (dialog) {
      const opener = event.detail.requestConfig.elt;
      const menu = opener.closest("details.menu");
      if (menu) menu.open = false;
      dialog.showModal();
      $("[autofocus]", dialog)?.focus();
      dialog.addEventListener("close", () => {
        dialog.remove();
        // A link in a menu that has closed cannot take the focus: its menu's button does.
        (menu ? $("summary", menu) : opener).focus();
      });
    }
    const words = fresh.matches?.("[data-announce]") ? fresh : $("[data-announce]", fresh);
    if (words) announce(words.dataset.announce);
  });

  // Not before: settling puts the attributes back as the server sent them. What it said about the payload stands alone.
  document.addEventListener("htmx:afterSettle", () => {
    if (!$("#id_payload_error")) describePayload();
  });

  // Cells that refresh by themselves stay while somebody is on them.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const target = event.detail.target;
    if (isTick(event.detail.requestConfig) && (holdsFocus(target) || holdsSelection(target))) event.detail.shouldSwap = false;
  });

  document.addEventListener("click", (event) => {
    const eye = event.target.closest?.("[data-shows]");
    if (!eye) return;
    const field = document.getElementById(eye.dataset.shows);
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(isShown));
  });

  const triggerForm = () => $("#trigger-form");

  // "line 4, column 3" of a place in a text; engines name it in their own ways.
  function placeOf(error, text) {
    const named = /line (\d+) column (\d+)/.exec(error.message);
    if (named) return `line ${named[1]}, column ${named[2]}`;
    const position = /position (\d+)/.exec(error.message);
    if (!position) return "";
    const before = text.slice(0, Number(position[1])).split("\n");
    return `line ${before.length}, column ${before.at(-1).length + 1}`;
  }

  function payloadInWords(text) {
    try {
      const value = JSON.parse(text);
      if (value === null || typeof value !== "object" || Array.isArray(value)) return ["Use a JSON object: { … }", false];
    } catch (error) {
      const place = placeOf(error, text);
      return [`Not JSON yet${place ? `: look at ${place}` : ""}`, false];
    }
    const size = new TextEncoder().encode(text).length;
    return [`Valid JSON, ${size.toLocaleString("en")} bytes${size > 0.8 * 262_144 ? " of at most 262,144" : ""}`, true];
  }

  function describePayload() {
    const state = $("#payload-state");
    if (!state) return;
    const text = $("#id_payload").value;
    const [words, isRight] = payloadInWords(text);
    state.hidden = !text.trim();
    state.classList.toggle("is-bad", !isRight);
    $(".state-words", state).textContent = words;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#payload-format")) return;
    const field = $("#id_payload");
    const [, isRight] = payloadInWords(field.value);
    // A browser rounds long numbers: those are left to the server, which keeps them.
    if (isRight && !/\d{16}/.test(field.value)) {
      fillIn(field, JSON.stringify(JSON.parse(field.value), null, 2));
    } else {
      field.focus();
    }
  });

  // Which fields count, the stylesheet knows; what to fill in at a press, and what the preview said of the fields, is here.
  function fillIn(field, value) {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  document.addEventListener("click", (event) => {
    const days = event.target.closest?.("[data-days]");
    if (days) {
      for (const box of all("[name=weekdays]", triggerForm())) box.checked = days.dataset.days.includes(box.value);
      triggerForm().dispatchEvent(new Event("input", { bubbles: true }));
    }
    const chip = event.target.closest?.("[data-cron]");
    if (chip) {
      fillIn($("#id_cron"), chip.dataset.cron);
      $("#id_cron").focus();
    }
  });

  // With a start or an end the zone matters to an interval, too.
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("#id_starting, #id_not_after")) return;
    triggerForm().classList.toggle("has-clock-times", Boolean($("#id_starting").value || $("#id_not_after").value));
  });

  function markFields() {
    for (const words of all(".field-errors", triggerForm() || document.createElement("form"))) {
      const isWrong = words.childElementCount > 0;
      const field = document.getElementById(words.id.replace(/_error$/, ""));
      if (field?.matches("input, select")) {
        if (isWrong) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      }
      const folded = isWrong && words.closest("details");
      if (folded) folded.open = true;
    }
  }

  // An answer is shown only while what it answers is what stands there: not after more was typed, nor over the answer
  // to the form's being saved. One question is open at a time; the newest waits for it.
  let draft = 0;
  let draftAsked = 0;
  document.addEventListener("input", (event) => {
    if (triggerForm()?.contains(event.target)) draft += 1;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig.elt.matches(".form-side-inner") && draftAsked !== draft) event.detail.shouldSwap = false;
  });

  // Advanced stays as the reader left it.
  let isAdvancedOpen = false;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches(".form-side-inner")) draftAsked = draft;
    if (!["trigger-form", "send-test"].includes(event.detail.elt.id)) return;
    if (event.detail.elt.id === "trigger-form") draft += 1;
    isAdvancedOpen = Boolean($("#advanced")?.open);
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "trigger-form" && isAdvancedOpen) $("#advanced").open = true;
    if (event.target.id === "preview") markFields();
  });

  // The headers: a row each. Numbers are only names, so holes among them do no harm.
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#add-header")) {
      const rows = $(".header-rows");
      const taken = all(".header-row", rows).map((row) => Number($(".header-name", row).name.split("_").at(-1)));
      const place = document.createElement("template");
      place.innerHTML = $("#header-template").innerHTML.replaceAll("NEXT", String(Math.max(-1, ...taken) + 1));
      rows.append(place.content);
      $(".header-name", rows.lastElementChild).focus();
    }
    const gone = event.target.closest?.(".remove-header")?.closest(".header-row");
    if (gone) {
      const next = gone.nextElementSibling || gone.previousElementSibling;
      const shown = next && !next.classList.contains("without-js") && $(".header-name", next);
      gone.remove();
      (shown || $("#add-header")).focus();
      triggerForm().dispatchEvent(new Event("input", { bubbles: true }));
    }
  });

  document.addEventListener("change", (event) => {
    const row = event.target.closest?.(".header-secret")?.closest(".header-row");
    if (row) $(".header-value", row).type = event.target.checked ? "password" : "text";
  });

  // A test of the draft, and whether it is still about what stands there.
  function compareWithTest() {
    const panel = $("#draft-test[data-endpoint]");
    if (!panel) return;
    const isSame = $("#id_api_endpoint").value.trim() === panel.dataset.endpoint && $("#id_method").value === panel.dataset.method;
    $(".endpoint-changed", panel).hidden = isSame;
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches?.("#id_api_endpoint, #id_method")) compareWithTest();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "draft-test") return;
    compareWithTest();
    // A sheet over the page takes the focus; a panel beside it does not.
    if (event.detail.requestConfig.elt.id === "send-test" && window.matchMedia("(max-width: 767.98px)").matches) $("#draft-test-title").focus();
  });

  document.addEventListener("click", (event) => {
    const panel = document.getElementById(event.target.closest?.("[data-dismisses]")?.dataset.dismisses);
    if (!panel) return;
    const empty = document.createElement("section");
    empty.id = panel.id;
    empty.hidden = true;
    panel.replaceWith(empty);
    $("#send-test")?.focus();
  });

  // What was typed is not lost unasked. Saving is no leaving; after a refusal the form is still unsaved.
  let isChanged = false;
  let isSaving = false;
  document.addEventListener("input", (event) => {
    if (!triggerForm()?.contains(event.target)) return;
    isChanged = true;
    if (event.target.id === "id_payload") describePayload();
  });
  document.addEventListener("submit", () => (isSaving = true), true);
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.id === "trigger-form" && !event.detail.successful) isSaving = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isChanged && !isSaving && triggerForm()) event.preventDefault();
  });

  // --- Start -------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:afterSettle", () => {
    showLive();
    markScrolled();
    refreshTimes();
  });

  // This script is deferred: the page is there, and so is htmx.
  learnTime(document.documentElement.dataset.now);
  for (const period of PERIODS) schedule(period);
  for (const item of all(".toast-item.toast-ok")) leaveLater(item);
  showLive();
  markScrolled();
  refreshTimes();
  describePayload();
  window.addEventListener("scroll", markScrolled, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !signedOut) fireTicks(true);
  });
  window.addEventListener("online", () => fireTicks(true));
  setInterval(beat, 1000);
})();
