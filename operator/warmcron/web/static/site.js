"use strict";
// What the pages cannot do by themselves: dialogs, the pause button, picking rows, the log's end, the browser's zone.
// Every page works without it.
(() => {
  const $ = (selector) => document.querySelector(selector);
  const LINES = 5000; // of a live log; older ones are still in the history

  // ---- the zone of this browser, for the switch "Mine"
  const mine = $("[data-my-zone]");
  if (mine) mine.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

  // ---- updates: paused by the button, and while somebody is in the middle of something
  const pause = $("#pause");
  const paused = () => pause && pause.getAttribute("aria-pressed") === "true";
  if (pause) {
    pause.hidden = false;
    pause.setAttribute("aria-pressed", localStorage.getItem("paused") === "1" ? "true" : "false");
    pause.addEventListener("click", () => {
      const now = !paused();
      pause.setAttribute("aria-pressed", String(now));
      localStorage.setItem("paused", now ? "1" : "0");
    });
  }
  const occupied = () =>
    document.hidden || $("#dialog").open || $("[name=on]:checked") || String(getSelection()) !== "" ||
    document.activeElement?.matches("main select, main input:not([type=checkbox])");
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target.id === "poll" && (paused() || occupied())) event.preventDefault();
  });

  // ---- dialogs: the answer of /confirm/… is a section; without a script it is a page
  const dialog = $("#dialog");
  document.addEventListener("htmx:after:swap", (event) => {
    if (dialog.querySelector("#confirm") && !dialog.open && event.detail.ctx.target === dialog) {
      reveal(dialog);
      dialog.showModal();
      dialog.querySelector("button:not([disabled]).strong, button:not([disabled]).danger")?.focus();
    }
    settle();
  });
  document.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
    const link = event.target.closest?.("[data-close]");
    if (link && dialog.open) {
      event.preventDefault();
      dialog.close();
    }
    const copy = event.target.closest?.("[data-copy]");
    if (copy) navigator.clipboard.writeText($(copy.dataset.copy).textContent.trim()).then(() => copy.classList.add("done"));
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());
  const reveal = (root) => root.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = !navigator.clipboard));
  reveal(document);

  // ---- a link that says it is a button or a switch answers to the space bar too
  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches?.("a[role=button], a[role=switch]")) {
      event.preventDefault();
      event.target.click();
    }
    const typing = event.target.matches?.("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && $("#q")) {
      event.preventDefault();
      $("#q").focus();
    }
  });

  // ---- picking rows
  const settle = () => {
    const form = $("#bulk");
    if (!form) return;
    const boxes = [...form.querySelectorAll("[name=on]")];
    const every = $("#every");
    const beyond = every && every.checked ? Number(every.dataset.total) : 0;
    if (beyond) boxes.forEach((box) => (box.checked = true));
    boxes.forEach((box) => (box.disabled = beyond > 0));
    const picked = beyond || boxes.filter((box) => box.checked).length;
    const all = $("#all");
    all.checked = picked > 0 && picked >= boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
    all.disabled = beyond > 0;
    form.querySelectorAll(".bulk button").forEach((button) => (button.disabled = picked === 0));
    const words = form.querySelector(".picked");
    const text = picked ? words.dataset.some.replace("{n}", picked.toLocaleString("en-US")) : words.dataset.none;
    if (words.textContent !== text) words.textContent = text;
    form.classList.toggle("picking", picked > 0);
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "all") {
      document.querySelectorAll("#bulk [name=on]").forEach((box) => (box.checked = event.target.checked));
    }
    settle();
  });
  settle();

  // ---- a chart that is wider than a phone begins with its newest
  document.querySelectorAll(".scroll:has(.durations)").forEach((chart) => (chart.scrollLeft = chart.scrollWidth));

  // ---- the live log stays at its end while somebody looks at its end; it may come with an update
  let followed = null;
  const follow = () => {
    const lines = $("#log-lines");
    if (!lines || lines === followed) return;
    followed = lines;
    let stick = true;
    lines.addEventListener("scroll", () => {
      stick = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    });
    new MutationObserver(() => {
      $(".quiet")?.remove();
      while (lines.childElementCount > LINES) lines.firstElementChild.remove();
      if (stick) lines.scrollTop = lines.scrollHeight;
    }).observe(lines, { childList: true });
    if (lines.getAttribute("aria-live") === "polite") lines.scrollTop = lines.scrollHeight;
  };
  document.addEventListener("htmx:after:swap", follow);
  follow();
})();
