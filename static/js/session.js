// A session that ended: the sign-in dialog opens over the page, and nothing typed is lost.
(function () {
  "use strict";

  const { $, cookie, fireTicks, isTick } = etp;

  let toRepeat = null;

  document.addEventListener("session-ended", () => {
    etp.isSignedOut = true;
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
      error.textContent = gettext("The server did not answer. Try again.");
      return;
    }
    if (answer.type !== "opaqueredirect") {
      error.textContent = answer.status === 429 ? gettext("Too many tries. Wait a while.") : gettext("This password is not right.");
      $("#session-password").select();
      return;
    }
    form.reset();
    form.closest("dialog").close();
    etp.isSignedOut = false;
    if (toRepeat) htmx.ajax(toRepeat.verb, toRepeat.path, { source: toRepeat.elt, target: toRepeat.target });
    toRepeat = null;
    fireTicks(true);
  });
})();
