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
let past = { queries: [], now: -1 }, going = false;
try { past = JSON.parse(sessionStorage.getItem(KEY)) ?? past; } catch { /* storage is off */ }
const keep = () => {
  try { sessionStorage.setItem(KEY, JSON.stringify(past)); } catch { /* storage is off */ }
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
const NAMES = ["data-keep", "data-copy", "data-save", "id"];
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
};
element.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const { keep, save, copy } = button.dataset, label = button.textContent;
  if (keep) return trigger("select", { keep });
  let done = copy ? t("Copied") : t("Saved");
  try {
    await copies[copy]?.();
    if (save !== undefined) {
      trigger("apply");
      if (!window.collection.save(large().dataset.recipe)) done = t("Full");
    }
  } catch { // no permission, or not a secure page
    if (copy === "link") return window.prompt(t("The link to this avatar:"), link());
    done = t("Not allowed here");
  }
  button.textContent = done;
  setTimeout(() => { button.textContent = label; }, 1500);
});
