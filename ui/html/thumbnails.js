// A sheet of thumbnails. Its value, what was chosen last, goes into the page's controls at once
// (``ui/page.py``), so that quick choices one after the other are never lost.
// One choice is on its way at a time, and of those made meanwhile the last one follows: answers
// could come back in another order than they were asked for.
let timer = null, next = null;
const send = (choice) => {
  props.value = choice;
  timer = setTimeout(answered, 3000);
  trigger("select");
};
const answered = () => {
  clearTimeout(timer);
  timer = null;
  const choice = next;
  next = null;
  if (choice) send(choice);
};
element.addEventListener("change", (event) => {
  const name = event.target.closest("fieldset").dataset.name;
  const choice = { name, value: Number(event.target.value) };
  if (timer === null) send(choice); else next = choice;
});
// Gradio updates attributes; what a click has set stays until told otherwise.
watch("options", () => {
  if (!next)
    for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
  if (timer !== null) answered();
});
// The scheduler was busy, or there is no server: ask again, a few times.
element.addEventListener("load", ({ target }) => { target.style.visibility = ""; }, true);
element.addEventListener("error", (event) => {
  const image = event.target, tries = Number(image.dataset.tries || 0);
  image.style.visibility = "hidden"; // instead of a broken one
  if (image.tagName !== "IMG" || tries >= 3) return;
  image.dataset.tries = tries + 1;
  setTimeout(() => { image.src = image.getAttribute("src"); }, 1500 * (tries + 1));
}, true);
