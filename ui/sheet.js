// A sheet of thumbnails. Its value, what was chosen last, goes into the page's controls at once
// (``ui/page.py``), so that quick choices one after the other are never lost.
element.addEventListener("change", (event) => {
  const name = event.target.closest("fieldset").dataset.name;
  props.value = { name, value: Number(event.target.value) };
  trigger("select");
});
// Gradio updates attributes; what a click has set stays until told otherwise.
watch("options", () => {
  for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
});
// The studio was busy: ask again, a few times.
element.addEventListener("error", (event) => {
  const image = event.target, tries = Number(image.dataset.tries || 0);
  if (image.tagName !== "IMG" || tries >= 3) return;
  image.dataset.tries = tries + 1;
  setTimeout(() => { image.src = image.getAttribute("src"); }, 1500 * (tries + 1));
}, true);
