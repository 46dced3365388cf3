// A picture that is dropped anywhere on the page, pasted, or chosen in the panel is read by the
// server, which keeps nothing of it; what it has found comes back to be drawn. The newest counts.
const status = element.querySelector("[role=status]"), largest = Number(status.dataset.largest);
let reading = null, hiding = null;
const say = (text, seconds) => {
  clearTimeout(hiding);
  status.textContent = text;
  if (seconds) hiding = setTimeout(() => { status.textContent = ""; }, 1000 * seconds);
};
const read = async (file) => {
  if (!file) return;
  reading?.abort();
  const mine = reading = new AbortController();
  let found = { error: t("the file is larger than {count} MB", { count: largest >> 20 }) };
  if (file.size <= largest) {
    say(t("Reading…"));
    try {
      const sent = { method: "POST", body: file, signal: mine.signal };
      found = await (await fetch("read-picture", sent)).json();
    } catch {
      found = null; // no server, or a file that is gone
    }
  }
  if (mine !== reading) return;
  if (!found) return say(t("The picture could not be sent; please try again."), 10);
  if (found.error) say("");
  else if (found.probable) say(t("Picture read."), 3);
  else say(t("Picture read. It is probably no avatar of this kind."), 10);
  trigger("select", found);
};
const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  read(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => read(event.clipboardData.files[0]));
document.addEventListener("change", ({ target }) => {
  if (target.id !== "picture-file") return;
  read(target.files[0]);
  target.value = ""; // or the same file could not be chosen again
});
