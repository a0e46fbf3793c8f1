// The page of a server that is not ready (503) asks every 5 s whether it is, and then opens what was wanted.
(function () {
  "use strict";

  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(window.location.href, { method: "HEAD", credentials: "same-origin" });
      if (answer.status !== 503) window.location.reload();
    } catch {
      // Not there at all: it may be starting.
    }
  }, 5000);
})();
