// The saved avatars, which the server lays out. What is deleted here or in another page stays in sight,
// to be brought back, until this page is left.
const { kept, save, forget, most } = collection, times = {};
let seen = [], ticked = [], said = "", due = false;
const full = () => t("The collection is full: at most {count} avatars are kept.", { count: most.saved });
const show = (sentence = said) => {
  said = sentence;
  if (!due) queueMicrotask(ask);
  due = true;
};
const ask = () => {
  const now = kept(), gone = seen.filter((query) => !now.includes(query)).slice(0, -most.saved);
  seen = [...new Set([...seen, ...now])].filter((query) => !gone.includes(query));
  ticked = ticked.filter((query) => now.includes(query));
  props.value = { seen, kept: now, ticked, said };
  due = false;
  trigger("input");
};
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button"), { query, recipe } = target.closest("li")?.dataset ?? {};
  if (!button) return;
  if (button.className === "paper") return trigger("select", { recipe });
  if (query && !kept().includes(query)) return show(save(query, times[query]) ? t("It is back.") : full());
  for (const one of query ? [query] : kept()) times[one] = forget(one);
  show(t("Deleted. Until you leave this page you can bring it back."));
});
element.addEventListener("change", async ({ target }) => {
  const { query } = target.closest("li")?.dataset ?? {};
  if (query) ticked = target.checked ? [...ticked, query] : ticked.filter((other) => other !== query);
  if (query) return show();
  const [file] = target.files;
  trigger("upload", { text: file.size <= most.file ? await file.text() : "" });
  target.value = "";
});
watch("value", () => {
  const { found, sentence } = props.value;
  if (!found) return;
  const fresh = found.filter((query) => !kept().includes(query)), left = fresh.filter((query) => !save(query));
  const count = fresh.length - left.length;
  const counted = found.length ? t("{count} of its {all} avatars are new here.", { count, all: found.length }) : "";
  show([counted, sentence, left.length ? full() : ""].filter(Boolean).join(" "));
});
watch("cards", () => {
  for (const input of element.querySelectorAll("li input")) input.checked = input.hasAttribute("checked");
});
addEventListener("storage", () => show());
show();
