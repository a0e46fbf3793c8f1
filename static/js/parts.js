// Small parts of many pages: copying, menus, dialogs and questions, tabs, buttons at work, chips, passwords.
(function () {
  "use strict";

  const { $, all, announce, cookie, toast } = etp;

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
      toast({ level: "bad", title: gettext("Not copied."), text: gettext("The browser does not allow it here; select the text instead.") });
      return;
    }
    const words = $(".copy-words", button);
    if (words) words.dataset.words ??= words.textContent;
    button.classList.add("is-done");
    if (words) words.textContent = gettext("Copied");
    announce(gettext("Copied"));
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
  function refreshToken(form) {
    const field = $("input[name=csrfmiddlewaretoken]", form);
    if (field && cookie("csrftoken")) field.value = cookie("csrftoken");
  }

  // A chip's words follow its boxes.
  document.addEventListener("change", (event) => {
    const chip = event.target.closest?.(".chip");
    if (chip) describeChip(chip);
  });

  // As dashboard/templatetags/sentences.py does it.
  const inRunningText = (label) =>
    document.documentElement.lang.startsWith("de") || /^.[A-Z]/.test(label) ? label : label.charAt(0).toLowerCase() + label.slice(1);

  function describeChip(chip) {
    const words = $(".chip-words", chip);
    if (!words) return;
    const typed = all("input[type=text], input:not([type])", chip).map((field) => field.value.trim());
    const boxes = all("input:checked", chip).filter((box) => box.value);
    const chosen = typed.some(Boolean) ? typed.filter(Boolean) : boxes.map((box) => box.closest("label, .form-check").textContent.trim()).map(inRunningText);
    chip.classList.toggle("is-set", chosen.length > 0);
    words.textContent = chosen.length ? chosen.join(", ") : gettext("any");
  }

  // On a phone a bar's further filters are behind a button.
  document.addEventListener("click", (event) => {
    const more = event.target.closest?.(".filter-more");
    if (more) more.setAttribute("aria-expanded", String(document.getElementById(more.getAttribute("aria-controls")).classList.toggle("is-open")));
  });

  document.addEventListener("click", (event) => {
    const clear = event.target.closest?.(".chip-clear[type=button]");
    if (!clear) return;
    const chip = clear.closest(".chip");
    for (const box of all("input:checked", chip)) box.checked = false;
    for (const box of all("input[type=radio][value='']", chip)) box.checked = true;
    for (const field of all("input[type=text], input:not([type])", chip)) field.value = "";
    describeChip(chip);
    clear.form?.dispatchEvent(new Event("change", { bubbles: true }));
    $("summary", chip)?.focus();
  });

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

  document.addEventListener("click", (event) => {
    const eye = event.target.closest?.("[data-shows]");
    if (!eye) return;
    const field = document.getElementById(eye.dataset.shows);
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    eye.setAttribute("aria-pressed", String(isShown));
  });
})();
