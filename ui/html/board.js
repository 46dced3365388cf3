// The board. Its value, the locked looks, changes here and at once, so no answer from the server can
// be too late for it. The sheet of a look is asked for. A tab of the browser keeps both; what
// reads them is OPEN in ui/page.py.
const sync = () => {
  for (const button of element.querySelectorAll("[data-lock]")) {
    const locked = props.value.includes(button.dataset.lock);
    button.setAttribute("aria-pressed", locked);
    button.title = locked ? t("Locked: Randomize leaves it alone") : t("Lock");
  }
  for (const input of element.querySelectorAll("input")) input.checked = input.hasAttribute("checked");
};
element.addEventListener("change", ({ target }) => {
  kept("open-look", target.value);
  trigger("select", { open: target.value });
});
element.addEventListener("click", (event) => {
  const { lock, randomize } = event.target.closest("button")?.dataset ?? {};
  if (randomize) trigger("select", { randomize });
  if (!lock) return;
  const others = props.value.filter((name) => name !== lock);
  props.value = kept("locked-looks", others.length === props.value.length ? [...others, lock] : others);
  queueMicrotask(sync);
});
watch(["value", "looks"], () => {
  sync();
  // On a phone the board is a strip: keep the open look in sight.
  const strip = element.querySelector(".board"), chip = element.querySelector(".chip:has(:checked)");
  if (!chip || strip.scrollWidth <= strip.clientWidth) return;
  const seen = strip.getBoundingClientRect(), box = chip.getBoundingClientRect();
  if (box.left < seen.left || box.right > seen.right)
    strip.scrollBy({ left: box.left + box.width / 2 - seen.left - seen.width / 2 }); // smooth, says the CSS
});
