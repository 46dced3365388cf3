// Play: the frames of the strip one after the other on the screen beside it.
let timer = null;
const frames = () => [...element.querySelectorAll("li")];
const show = (index) => {
  const all = frames();
  if (!all.length) return;
  all.forEach((frame, i) => frame.classList.toggle("now", i === index));
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
  if (event.target.closest("[data-play]")) return timer ? stop() : play();
  const frame = event.target.closest("li");
  if (frame) { stop(); show(frames().indexOf(frame)); }
});
watch("value", () => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (frames().length) still ? show(frames().length - 1) : play();
});
