// What was chosen while the server could not be reached is drawn as soon as it can.
const note = element.querySelector("p");
let waiting = null, wanted = [];
const reached = () => fetch("health", { cache: "no-store" }).then(() => true, () => false);
const look = async () => {
  const there = await reached();
  if (waiting === null) return; // answered meanwhile
  if (!there) {
    note.hidden = false;
    kept("not-drawn", wanted); // should the page be loaded again
    waiting = setTimeout(look, 2000);
    return;
  }
  waiting = null;
  if (note.hidden) return; // it just takes long
  trigger("select", {});
  // The thumbnails that could not be had.
  for (const image of document.images)
    if (image.complete && !image.naturalWidth && image.src) image.src = image.getAttribute("src");
};
window.asked = (values) => {
  clearTimeout(waiting);
  waiting = setTimeout(look, 3000);
  wanted = values;
};
window.answered = () => {
  clearTimeout(waiting);
  waiting = null;
  note.hidden = true;
  kept("not-drawn", null);
};
