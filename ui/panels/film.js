// Play: the frames of the strip one after the other on the screen beside it.
let timer = null;
const frames = () => [...element.querySelectorAll(".frames label")];
const show = (index) => {
  const all = frames();
  if (!all.length) return;
  all[index].querySelector("input").checked = true;
  element.querySelector(".screen img").src = all[index].querySelector("img").src;
  all[index].scrollIntoView({ block: "nearest", inline: "nearest" });
};
const stop = () => {
  clearInterval(timer);
  timer = null;
  const button = element.querySelector("[data-play]");
  if (button) button.textContent = "Play";
};
const play = () => {
  let index = 0;
  stop();
  element.querySelector("[data-play]").textContent = "Stop";
  show(0);
  timer = setInterval(() => (++index < frames().length ? show(index) : stop()), 250);
};
element.addEventListener("click", (event) => {
  if (event.target.closest("[data-play]")) timer ? stop() : play();
});
element.addEventListener("change", (event) => {
  stop();
  show(frames().indexOf(event.target.closest("label")));
});
watch("value", () => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (frames().length) still ? show(frames().length - 1) : play();
});
