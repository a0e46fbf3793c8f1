// The trigger form: its payload, headers, preview and test of the draft; and what was typed is not lost unasked.
(function () {
  "use strict";

  const { $, all, say } = etp;

  const MOST_BYTES = 262_144; // of a payload
  const triggerForm = () => $("#trigger-form");

  // Not before: settling puts the attributes back as the server sent them. What it said about the payload stands alone.
  document.addEventListener("htmx:afterSettle", () => {
    if (!$("#id_payload_error")) describePayload();
  });

  // The line and the column of an error in a text, or null; engines name them in their own ways.
  function placeOf(error, text) {
    const named = /line (\d+) column (\d+)/.exec(error.message);
    if (named) return [named[1], named[2]];
    const position = /position (\d+)/.exec(error.message);
    if (!position) return null;
    const before = text.slice(0, Number(position[1])).split("\n");
    return [before.length, before.at(-1).length + 1];
  }

  function payloadInWords(text) {
    try {
      const value = JSON.parse(text);
      if (value === null || typeof value !== "object" || Array.isArray(value)) return [gettext("Use a JSON object: { … }"), false];
    } catch (error) {
      const place = placeOf(error, text);
      return [place ? say(gettext("Not JSON yet: look at line %(line)s, column %(column)s"), { line: place[0], column: place[1] }) : gettext("Not JSON yet"), false];
    }
    const size = new TextEncoder().encode(text).length;
    const values = { size: size.toLocaleString(document.documentElement.lang), most: MOST_BYTES.toLocaleString(document.documentElement.lang) };
    return [say(size > 0.8 * MOST_BYTES ? gettext("Valid JSON, %(size)s bytes of at most %(most)s") : gettext("Valid JSON, %(size)s bytes"), values), true];
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

  describePayload();
})();
