// Keyboard shortcuts: Ctrl K everywhere; single letters only outside fields and dialogs, unless they are switched off.
(function () {
  "use strict";

  const { $, all } = etp;
  const areLettersOn = document.documentElement.dataset.shortcuts !== "off";
  const CHORD_LASTS = 1500; // milliseconds between "g" and the letter after it
  let wentAt = 0;

  const isField = (element) => element.matches?.("input:not([type=checkbox], [type=radio]), select, textarea") || element.isContentEditable;

  const go = (name) => {
    const address = $(`[data-goes="${name}"]`)?.href;
    if (address) window.location.assign(address);
  };

  // The rows of a list, each by its first link that is seen.
  const links = () =>
    all("main tbody tr, main [data-row]")
      .map((row) => all("a[href]", row).find((link) => link.offsetParent))
      .filter(Boolean);

  function step(by) {
    const found = links();
    if (!found.length) return;
    const row = document.activeElement.closest("tr, [data-row]");
    const at = found.findIndex((link) => link.closest("tr, [data-row]") === row);
    const next = found[at < 0 ? (by > 0 ? 0 : found.length - 1) : Math.min(Math.max(at + by, 0), found.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function test() {
    const row = document.activeElement.closest("tr, [data-row]");
    const places = row ? [row] : all(".page-header");
    for (const place of places) $("form.test-form button:not([type=button])", place)?.click();
  }

  function search() {
    const field = all("main input[type=search]").find((each) => each.offsetParent);
    field?.focus();
    field?.select();
    return Boolean(field);
  }

  const LETTERS = {
    "/": search,
    "?": () => $("#shortcuts-dialog")?.showModal(),
    n: () => go("new"),
    j: () => step(1),
    k: () => step(-1),
    t: test,
    p: () => $("#live-switch")?.click(),
    g: () => (wentAt = Date.now()),
  };
  const AFTER_G = { o: "overview", t: "triggers", e: "events" };

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      etp.openJump?.();
      return;
    }
    if (!areLettersOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(event.target) || $("dialog[open]")) return;
    const place = Date.now() - wentAt < CHORD_LASTS && AFTER_G[event.key];
    wentAt = 0;
    if (place) {
      go(place);
    } else if (LETTERS[event.key]) {
      if (LETTERS[event.key]() !== false) event.preventDefault();
    }
  });
})();
