// Jump to (Ctrl K): one field over the page. The arrows choose among what is found, Enter goes there, Esc closes.
(function () {
  "use strict";

  const { $, all } = etp;
  const dialog = $("#jump-dialog");
  if (!dialog) return;
  const field = $("#jump-field");
  let from = null; // what had the focus before

  etp.openJump = () => {
    if (dialog.open || $("dialog[open]")) return;
    from = document.activeElement;
    dialog.showModal();
    field.focus();
    field.select();
    htmx.trigger(field, "jump-opened");
  };

  dialog.addEventListener("close", () => from?.focus?.());

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-jump]")) {
      event.preventDefault();
      etp.openJump();
    } else if (event.target === dialog) dialog.close(); // its backdrop
  });

  const places = () => all(".jump-place", dialog);
  const chosen = () => $(".jump-place[aria-selected=true]", dialog);

  function choose(place) {
    for (const each of places()) each.setAttribute("aria-selected", String(each === place));
    if (place) field.setAttribute("aria-activedescendant", place.id);
    else field.removeAttribute("aria-activedescendant");
    place?.scrollIntoView({ block: "nearest" });
  }

  // In the dialog the list is a list box whose options the field points to; on a page it is a list of links.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.requestConfig?.elt !== field) return;
    const list = $(".jump-list", dialog);
    list?.setAttribute("role", "listbox");
    list?.setAttribute("aria-label", field.getAttribute("aria-label"));
    if (list) list.id = "jump-options";
    field.setAttribute("aria-controls", list ? "jump-options" : "jump-places");
    for (const place of places()) {
      place.parentElement.setAttribute("role", "presentation");
      place.setAttribute("role", "option");
      place.tabIndex = -1;
    }
    choose(places()[0]);
  });

  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const found = places();
      const at = found.indexOf(chosen());
      choose(found.at((at + step) % found.length));
    }
  });

  // Enter before the answer has come would go to what was found before: then the page of results opens instead.
  dialog.addEventListener("submit", (event) => {
    const place = chosen();
    if (!place || field.classList.contains("htmx-request")) return;
    event.preventDefault();
    place.click();
  });
})();
