// Play: the frames of the strip one after the other on the screen beside it.
let timer = null;
const frames = () => [...element.querySelectorAll(".frames label")];
const show = (frame) => {
  frame.querySelector("input").checked = true;
  element.querySelector(".screen img").src = frame.querySelector("img").src;
  frame.scrollIntoView({ block: "nearest", inline: "nearest" });
};
const play = (on) => {
  clearInterval(timer);
  timer = null;
  const left = frames(), button = element.querySelector("[data-play]");
  if (button) button.textContent = on ? t("Stop") : t("Play");
  if (!on) return;
  show(left.shift());
  timer = setInterval(() => (left.length ? show(left.shift()) : play(false)), 250);
};
element.addEventListener("click", ({ target }) => {
  if (target.closest("[data-play]")) play(timer === null);
});
element.addEventListener("change", ({ target }) => {
  play(false);
  show(target.closest("label"));
});
watch("value", () => {
  play(false);
  const last = frames().at(-1), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (last) still ? show(last) : play(true);
});
