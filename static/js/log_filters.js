// The log's filter bar: the words of the time chip, and what the search is for.
(function () {
  "use strict";

  const { $, say } = etp;

  function timeWords(chip) {
    const [from, until] = ["from", "until"].map((name) => $(`[name=${name}]`, chip).value.replace("T", " "));
    if (from && until) return say(gettext("%(from)s to %(until)s"), { from, until });
    if (from) return say(gettext("From %(from)s"), { from });
    if (until) return say(gettext("Until %(until)s"), { until });
    return $("input:checked", chip).closest(".form-check").textContent.trim();
  }

  document.addEventListener("change", (event) => {
    const chip = event.target.closest?.("#time-chip");
    if (chip) describe(chip);
    if (event.target.id !== "log-search-in") return;
    const search = $("#log-search");
    search.placeholder = event.target.value ? search.dataset.bodies : search.dataset.names;
  });

  function describe(chip) {
    const isSet = Boolean($("[name=from]", chip).value || $("[name=until]", chip).value || $("input:checked", chip).value);
    chip.classList.toggle("is-set", isSet);
    $(".chip-words", chip).textContent = timeWords(chip);
  }

  // Before the form is sent for it.
  document.addEventListener(
    "click",
    (event) => {
      const chip = event.target.closest?.(".chip-clear")?.closest("#time-chip");
      if (!chip) return;
      for (const field of chip.querySelectorAll("[name=from], [name=until]")) field.value = "";
    },
    true,
  );
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.(".chip-clear")?.closest("#time-chip");
    if (!chip) return;
    $("#last-all", chip).checked = true;
    describe(chip);
  });
})();
