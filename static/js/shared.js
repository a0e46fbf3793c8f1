// What all scripts here share, as `etp`: finding elements, what the reader is busy with, announcements, toasts.
(function () {
  "use strict";

  const UNDO_SECONDS = 8;
  const $ = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);

  // What the reader is busy with.
  const holdsFocus = (element) => element !== document.body && element.contains(document.activeElement);
  const isHovered = (element) => window.matchMedia("(hover: hover)").matches && element.matches(":hover");

  function holdsSelection(element) {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.getRangeAt(0).intersectsNode(element));
  }

  // A message of gettext or ngettext, with its %(name)s places filled in.
  const say = (message, values) => interpolate(message, values, true);

  function announce(words) {
    const region = $("#announcements");
    if (region) region.textContent = words;
  }

  // {"toast": {"level": "ok" | "bad", "title", "text", "href" or "post", "label"}} in HX-Trigger, or Django's messages.
  // `href` is where its link leads; `post` is what its button takes back, for a few seconds only.
  function toast({ level = "ok", title = "", text = "", href = "", post = "", label = "" }) {
    const item = $("#toast-template").content.cloneNode(true).firstElementChild;
    item.classList.add(level === "bad" ? "toast-bad" : "toast-ok");
    item.setAttribute("role", level === "bad" ? "alert" : "status");
    $(".toast-title", item).textContent = title;
    $(".toast-text", item).textContent = text;
    const link = $(".toast-link", item);
    if (isHere(href)) {
      link.href = href;
      link.textContent = label;
    }
    $("#toasts").append(item);
    if (isHere(post)) offer(item, post, label);
    else if (level !== "bad") leaveLater(item);
  }

  const isHere = (address) => address.startsWith("/") && !address.startsWith("//");

  // A deed that can be taken back for 8 s, which do not pass while somebody reads.
  function offer(item, address, label) {
    const button = $(".toast-undo", item);
    button.hidden = false;
    $(".toast-undo-words", button).textContent = label;
    let left = UNDO_SECONDS;
    const tell = () => ($(".toast-undo-seconds", button).textContent = left);
    tell();
    const countdown = setInterval(() => {
      if (item.isConnected && (isHovered(item) || holdsFocus(item))) return;
      left -= 1;
      tell();
      if (left <= 0) item.remove();
      if (!item.isConnected) clearInterval(countdown);
    }, 1000);
    button.addEventListener("click", () => {
      htmx.ajax("POST", address, { source: "#toasts", swap: "none" });
      item.remove();
    });
  }

  // Good news goes after 5 s, but not while somebody reads it.
  function leaveLater(item) {
    setTimeout(() => (isHovered(item) || holdsFocus(item) ? leaveLater(item) : item.remove()), 5000);
  }

  document.addEventListener("toast", (event) => toast(event.detail));

  // For Django's messages of the last page.
  for (const item of all(".toast-item.toast-ok")) leaveLater(item);

  window.etp = { $, all, cookie, holdsFocus, isHovered, holdsSelection, say, announce, toast };
})();
