// The list of triggers: which rows are selected, and what is done to them. Space on a box toggles it, Shift takes all between.
(function () {
  "use strict";

  const { $, all, announce, say } = etp;
  let last = null; // the box that was ticked last, from where Shift reaches

  const form = () => $("#bulk");
  const boxes = () => all("#trigger-list input[name=id]");
  const chosen = () => boxes().filter((box) => box.checked);
  const isAll = () => form()?.elements.all.value === "1";

  // The rows of this page; `isAllMeant`: those of all pages too.
  function choose(isChosen, isAllMeant = false) {
    form().elements.all.value = isAllMeant ? "1" : "";
    for (const box of boxes()) box.checked = isChosen;
    show();
  }

  function show(isSaid = true) {
    const bar = form();
    if (!bar) return;
    const count = isAll() ? Number(bar.dataset.total) : chosen().length;
    const page = $("#select-page");
    page.checked = count > 0 && chosen().length === boxes().length;
    page.indeterminate = count > 0 && !page.checked;
    $(".trigger-card").classList.toggle("has-selection", count > 0);
    const words = say(ngettext("%(count)s selected", "%(count)s selected", count), { count: count.toLocaleString("en-GB") });
    $("#bulk-count").textContent = words;
    const more = $("#bulk-all");
    if (more) more.hidden = isAll();
    if (isSaid) announce(count ? words : gettext("Nothing selected"));
  }

  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("#trigger-list input[name=id]");
    if (box) {
      const among = boxes();
      if (event.shiftKey && last && among.includes(last)) {
        const [from, to] = [among.indexOf(last), among.indexOf(box)].sort((one, other) => one - other);
        for (const each of among.slice(from, to + 1)) each.checked = box.checked;
      }
      last = box;
      form().elements.all.value = ""; // those of other pages are no longer meant
      show();
      return;
    }
    if (event.target.id === "select-page") choose(event.target.checked);
    if (event.target.closest?.("#bulk-all")) {
      event.preventDefault();
      choose(true, true);
      $("#bulk button")?.focus();
    }
    if (event.target.closest?.(".bulk-clear")) {
      event.preventDefault();
      choose(false);
      $("#select-page").focus();
    }
  });

  // A link that looks like a button is pressed by Space, too.
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches?.("#bulk a[role=button]")) return;
    event.preventDefault();
    event.target.click();
  });

  // Esc gives the selection up, unless there is something on top to close.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !event.target.closest?.("#trigger-list")) return;
    if ($("dialog[open]") || $("details[open].menu") || !(chosen().length || isAll())) return;
    choose(false);
  });

  // What was chosen is done: the question goes, and the list comes anew, with nothing selected.
  document.addEventListener("triggers-changed", () => $("#dialogs dialog[open]")?.close());

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "trigger-list") return;
    last = null;
    show(false);
    if (event.detail.requestConfig.triggeringEvent?.type === "triggers-changed") $("#trigger-list").focus({ preventScroll: true });
  });

  show(false);
})();
