// The board. Its value, the locked looks, changes here and at once, so no answer from the server can
// be too late for it. The sheet of a look is asked for.
const sync = () => {
  for (const button of element.querySelectorAll("[data-lock]")) {
    const locked = props.value.includes(button.dataset.lock);
    button.setAttribute("aria-pressed", locked);
    button.title = locked ? "Locked: Randomize leaves it alone" : "Lock";
  }
  for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
};
element.addEventListener("change", (event) => trigger("select", { open: event.target.value }));
element.addEventListener("click", (event) => {
  const { lock, randomize } = event.target.closest("button")?.dataset ?? {};
  if (randomize) trigger("select", { randomize });
  if (!lock) return;
  const others = props.value.filter((name) => name !== lock);
  props.value = others.length === props.value.length ? [...others, lock] : others;
  queueMicrotask(sync);
});
watch(["value", "looks"], () => {
  sync();
  // On a phone the board is a strip: keep the open look in sight.
  const strip = element.querySelector(".board"), chip = element.querySelector(".chip:has(:checked)");
  if (chip && strip.scrollWidth > strip.clientWidth)
    strip.scrollTo({ // smooth, says the CSS
      left: Math.max(
        chip.closest("section").offsetLeft, // from the name of its group, if there is room
        chip.offsetLeft + chip.offsetWidth - strip.clientWidth,
      ) - strip.offsetLeft - 4,
    });
});
