// What the browser keeps, in this tab unless told otherwise. Storage may be off: then it is forgotten.
window.kept = (name, value, where = "sessionStorage") => {
  try {
    if (value !== undefined) window[where].setItem(name, JSON.stringify(value));
    return JSON.parse(window[where].getItem(name));
  } catch { return value ?? null; }
};
// Copy, and say so on the button for a moment; "otherwise" is for pages that may not.
window.copied = async (button, copy, done, otherwise) => {
  const label = button.textContent;
  try {
    done = await copy() ?? done;
  } catch {
    otherwise();
    done = t("Not allowed here");
  }
  button.textContent = done;
  setTimeout(() => { button.textContent = label; }, 1500);
};
