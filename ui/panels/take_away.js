// Lines to copy: where the page is, the browser knows best.
const fill = () => {
  const here = location.origin + location.pathname;
  const page = document.querySelector("#result .avatars")?.dataset.home || here;
  for (const part of element.querySelectorAll("code, [data-text]")) {
    const text = (part.dataset.text ?? part.textContent).replace("{page}", page).replace("{here}", here);
    if (part.dataset.text === undefined) part.textContent = text; else part.dataset.text = text;
  }
};
watch("value", fill);
fill(); // the tab may be opened after the value came
element.addEventListener("click", ({ target }) => {
  const { text } = target.dataset;
  const select = () => getSelection().selectAllChildren(target.previousSibling); // for Ctrl+C
  if (text !== undefined) copied(target, () => navigator.clipboard.writeText(text), t("Copied"), select);
});
