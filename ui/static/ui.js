// Keeps an open page up to date: counts and newest jobs on the overview, one job on its own page.
"use strict";

(function () {
  const page = document.body.dataset.page;
  if (!page || !window.EventSource) return;

  const light = document.getElementById("live");
  const lightText = document.getElementById("live-text");

  function showLive(on) {
    if (!light) return;
    light.hidden = false;
    light.classList.toggle("off", !on);
    const text = on ? "live" : "reconnecting";
    if (lightText.textContent !== text) lightText.textContent = text;
  }

  // Replaces the content of a node by HTML that the server has escaped; the focused link keeps its focus.
  function replace(node, nodes) {
    const active = document.activeElement;
    const href = node.contains(active) ? active.getAttribute("href") : null;
    node.replaceChildren(...nodes);
    if (href === null) return;
    for (const link of node.querySelectorAll("a")) {
      if (link.getAttribute("href") === href) {
        link.focus({ preventScroll: true });
        return;
      }
    }
  }

  function parse(html) {
    return new DOMParser().parseFromString(html, "text/html");
  }

  const shown = new WeakMap();

  function showOverview(parts) {
    for (const node of document.querySelectorAll("[data-live]")) {
      const html = parts[node.dataset.live];
      if (typeof html !== "string" || shown.get(node) === html) continue;
      const before = new Map();
      node.querySelectorAll("[data-count]").forEach((count) => before.set(count.dataset.count, count.textContent));
      replace(node, parse(html).body.childNodes);
      shown.set(node, html);
      node.querySelectorAll("[data-count]").forEach((count) => {
        const old = before.get(count.dataset.count);
        if (old !== undefined && old !== count.textContent) count.classList.add("changed");
      });
    }
  }

  let loading = false;
  let again = false;

  async function reloadJob() {
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    try {
      const answer = await fetch(location.pathname, { redirect: "error" });
      if (answer.ok) {
        const fresh = parse(await answer.text());
        const selecting = !window.getSelection().isCollapsed;
        const main = fresh.getElementById("main");
        if (main && !selecting) {
          replace(document.getElementById("main"), main.childNodes);
          document.title = fresh.title;
        }
      }
    } catch (error) {
      showLive(false);
    }
    loading = false;
    if (again) {
      again = false;
      reloadJob();
    }
  }

  const job = Number(document.body.dataset.job);
  const events = new EventSource("/events");
  let first = true;
  events.addEventListener("open", () => {
    first = true; // changes may have been missed while the stream was down
    showLive(true);
  });
  events.addEventListener("error", () => showLive(false));
  events.addEventListener("update", (event) => {
    const update = JSON.parse(event.data);
    if (page === "overview") showOverview(update.html);
    if (page === "job" && (first || update.changed === null || update.changed.includes(job))) reloadJob();
    first = false;
  });
})();
