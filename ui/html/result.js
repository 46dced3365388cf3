// The result: the address bar follows the picture, links are copied, keys undo and redo and let
// sliders go.
const shown = () => element.querySelector(".avatars");
// Of several pictures the link is that of the one that is shown large.
const link = () => {
  const { query, home } = shown().dataset, figures = [...element.querySelectorAll("figure")];
  const one = figures.length > 1 && figures.find((figure) => figure.offsetParent).dataset.recipe;
  return `${home || location.origin + location.pathname}?${one || query}`;
};
// What is no part of a recipe is somebody else's, and stays as it is written: Gradio's, a campaign's.
const foreign = (part) => {
  const [[name] = []] = new URLSearchParams(part);
  return name !== undefined && !shown().dataset.names.split(" ").includes(name);
};
const remember = () => {
  const query = shown()?.dataset.query;
  if (!query) return;
  const parts = [query, ...location.search.slice(1).split("&").filter(foreign)];
  history.replaceState(history.state, "", `?${parts.join("&")}${location.hash}`);
};
watch("value", () => {
  for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
  remember();
});
element.addEventListener("change", (event) => trigger("select", { pick: Number(event.target.value) }));
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { keep, save } = button.dataset;
  if (keep) return trigger("select", { keep });
  const label = button.textContent;
  if (save !== undefined) {
    trigger("apply");
    button.textContent = "Saved";
  } else {
    try {
      await navigator.clipboard.writeText(link());
      button.textContent = "Copied";
    } catch {
      window.prompt("The link to this avatar:", link()); // no permission, or not a secure page
    }
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea");
  if (typing || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  const id = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
  if (!id) return;
  event.preventDefault();
  document.getElementById(id).click();
});
// Gradio takes a slider for let go only when a pointer does it.
document.addEventListener("keyup", ({ target, key }) => {
  if (target.matches("input[type=range]") && key !== "Tab")
    target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
});
