// Live updates and copying. Every page is whole without this: it only asks for the same page again when something
// happened, and puts in what is marked as live.
(() => {
  "use strict";
  // Longest time between what happened and its showing, and shortest between two looks, in milliseconds.
  const PAUSE = 1500;
  // What the server's events are called.
  const KINDS = document.currentScript.dataset.events.split(" ");
  let timer = null;

  const openParts = () => new Set(Array.from(document.querySelectorAll("details[id][open]"), (part) => part.id));

  async function refresh() {
    timer = null;
    if (document.hidden) return;
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const other = fresh.getElementById(part.id);
      // Nobody wants a part taken away under the keyboard.
      if (!other || part.contains(document.activeElement) || part.innerHTML === other.innerHTML) continue;
      const open = openParts();
      // Counted first: taking a node away changes the list that it is taken from.
      part.replaceChildren(...Array.from(other.childNodes).map((node) => document.adoptNode(node)));
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      offerCopies(part);
    }
  }

  function soon() {
    timer ??= setTimeout(() => refresh().catch(() => {}), PAUSE);
  }

  function offerCopies(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
    }
  }

  offerCopies(document);
  if (document.querySelector("[data-live]") && "EventSource" in window) {
    let events = null;
    const listen = () => {
      events = new EventSource("/api/v1/events");
      for (const kind of KINDS) events.addEventListener(kind, soon);
    };
    listen();
    document.addEventListener("visibilitychange", soon);
    // A browser may keep a page that was left, and its stream with it. It has six connections to a server: after six
    // such pages the next one would wait.
    window.addEventListener("pagehide", () => events.close());
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      listen();
      soon();
    });
  }
})();
