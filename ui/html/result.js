// The result: the address bar follows the picture, links and pictures are copied, and what was shown
// can be undone.
const shown = () => element.querySelector(".avatars");
const large = () => [...element.querySelectorAll("figure")].find((figure) => figure.offsetParent);
const link = () => `${shown().dataset.home || location.origin + location.pathname}?${large().dataset.short}`;
// What is no part of a recipe is somebody else's, and stays as it is written: Gradio's, a campaign's.
const foreign = (part) => {
  const [[name] = []] = new URLSearchParams(part);
  return name !== undefined && !shown().dataset.names.split(" ").includes(name);
};
const remember = (query) => {
  const parts = [query, ...location.search.slice(1).split("&").filter(foreign)];
  history.replaceState(history.state, "", `?${parts.join("&")}${location.hash}`);
};
// Every picture that was shown, kept by a tab of the browser: answers of the server could come back
// in another order than what they answer.
const LIMIT = 50, KEY = "shown-avatars";
let past = kept(KEY) ?? { queries: [], now: -1 }, going = false;
const keep = () => {
  kept(KEY, past);
  document.getElementById("undo").disabled = past.now <= 0;
  document.getElementById("redo").disabled = past.now >= past.queries.length - 1;
};
const add = (query) => {
  if (query === past.queries[past.now]) going = false;
  else if (!going) {
    past.queries = [...past.queries.slice(0, past.now + 1), query].slice(-LIMIT - 1);
    past.now = past.queries.length - 1;
  }
  keep();
};
// The query to draw for undo (-1) and redo (1).
window.inHistory = (step) => {
  past.now = Math.min(Math.max(past.now + step, 0), past.queries.length - 1);
  going = true;
  keep();
  return past.queries[past.now];
};
window.leaveHistory = () => { going = false; };
// What had the focus is another element after every answer, or gone.
const NAMES = ["data-keep", "data-copy", "id"];
let focused = null;
document.addEventListener("focusin", ({ target }) => {
  const name = element.contains(target) && NAMES.find((name) => target.hasAttribute(name));
  focused = name ? `[${name}="${target.getAttribute(name)}"]` : element.contains(target) ? "a" : null;
});
watch("value", () => {
  for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
  const { query, preview } = shown()?.dataset ?? {};
  if (!query) return;
  window.answered();
  remember(query);
  if (preview === undefined) add(query);
  if (!focused || document.activeElement !== document.body) return;
  const seen = (selector) => [...element.querySelectorAll(selector)].find((e) => e.checkVisibility());
  (seen(focused) ?? seen("figcaption a")).focus({ preventScroll: true });
});
element.addEventListener("change", ({ target }) => trigger("select", { pick: Number(target.value) }));
const copies = {
  link: () => navigator.clipboard.writeText(link()),
  picture: () => {
    const png = fetch(large().querySelector("figcaption a").href.replace(/avatar\.\w+/, "avatar.png"));
    return navigator.clipboard.write([new ClipboardItem({ "image/png": png.then((r) => r.blob()) })]);
  },
  save: async () => {
    try {
      collection.problem = collection.save(large().dataset.recipe) ? "" : "full";
    } catch { collection.problem = "off"; }
    trigger("apply"); // it is told
    return { "": t("Saved"), full: t("Full"), off: t("Not allowed here") }[collection.problem];
  },
};
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button"), { keep, copy } = button?.dataset ?? {};
  if (keep) trigger("select", { keep });
  if (copy)
    copied(button, copies[copy], t("Copied"), () => {
      if (copy === "link") prompt(t("The link to this avatar:"), link());
    });
});
