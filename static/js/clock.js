// The server's clock: a wrong one here must not lie about times there. Fires "second" when the page's times are refreshed.
(function () {
  "use strict";

  const { all, say } = etp;

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
    if (seconds === 0) return instant <= now() ? gettext("just now") : gettext("due");
    if (seconds < 0) {
      if (size < 60) return say(gettext("%(s)s s ago"), { s: size });
      if (size < 3600) return say(gettext("%(min)s min ago"), { min: Math.floor(size / 60) });
      if (size < 86400) return say(gettext("%(h)s h ago"), { h: Math.floor(size / 3600) });
      const days = Math.floor(size / 86400);
      return say(ngettext("%(days)s day ago", "%(days)s days ago", days), { days });
    }
    const parts = { s: size % 60, min: Math.floor(size / 60) % 60, h: Math.floor(size / 3600), days: Math.floor(size / 86400) };
    if (size < 60) return say(gettext("in %(s)s s"), parts);
    if (size < 3600) return say(parts.s ? gettext("in %(min)s min %(s)s s") : gettext("in %(min)s min"), parts);
    if (size < 86400) return say(parts.min ? gettext("in %(h)s h %(min)s min") : gettext("in %(h)s h"), parts);
    return say(ngettext("in %(days)s day", "in %(days)s days", parts.days), parts);
  }

  function refreshTimes() {
    for (const element of all("time[data-relative]")) {
      const instant = Date.parse(element.dateTime);
      let words = relativeWords(instant);
      // A countdown stops at "due": the next answer of the server says what became of it.
      if (element.hasAttribute("data-countdown") && instant <= now()) {
        words = gettext("due");
        if (now() - instant >= 1000 && now() - instant < 5000) htmx.trigger(element.closest("[hx-get]") || element, "fire-due");
      }
      if (words && element.textContent !== words) element.textContent = words;
    }
    for (const element of all("[data-clock]")) element.textContent = clockWords(now());
    document.dispatchEvent(new Event("second"));
  }

  for (const field of all("[data-browser-zone]")) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;

  learnTime(document.documentElement.dataset.now);
  Object.assign(etp, { now, clockWords, learnTime, refreshTimes });
  document.addEventListener("htmx:afterSettle", refreshTimes);
})();
