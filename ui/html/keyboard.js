// Keys and fields of the whole page.
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (target.matches("[role=tab]") && ["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) {
    const tabs = [...target.parentElement.querySelectorAll("[role=tab]")], ltr = document.dir !== "rtl";
    const next = tabs.indexOf(target) + ((key === "ArrowRight") === ltr ? 1 : -1);
    const tab = { Home: tabs[0], End: tabs.at(-1) }[key] ?? tabs.at(next % tabs.length);
    event.preventDefault();
    tab.click();
    tab.focus();
  }
  // What was typed counts.
  if (target.matches("input[type=number]") && key === "Enter") { target.blur(); target.focus(); }
  const typing = target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea");
  if (typing || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const id = { z: event.shiftKey ? "redo" : "undo", y: "redo" }[key.toLowerCase()];
  if (!id) return;
  event.preventDefault();
  document.getElementById(id).click();
});
// Gradio takes a slider for let go only when a pointer does it.
document.addEventListener("keyup", ({ target, key }) => {
  if (target.matches("input[type=range]") && key !== "Tab")
    target.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
});
// A field that was emptied waits for its new number; left empty, it has the old one.
let before = "";
document.addEventListener("focusin", ({ target }) => {
  if (target.matches("input[type=number]")) before = target.value;
  // What is typed into a dropdown is another value, and no part of the one it has.
  if (target.matches("input[role=combobox], input[role=listbox]")) requestAnimationFrame(() => target.select());
});
for (const name of ["input", "change", "blur"])
  document.addEventListener(name, (event) => {
    const { target } = event;
    if (!(target instanceof Element) || !target.matches("input[type=number]") || target.value !== "") return;
    if (name === "blur") target.value = before;
    else event.stopPropagation();
  }, true);
