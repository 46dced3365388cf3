// First of all scripts: all speak the language of the document. Gradio would ask the browser, which
// may prefer one that the page does not have, and half of it would be English.
const { lang } = document.documentElement;
for (const [name, value] of Object.entries({ language: lang, languages: [lang] }))
  Object.defineProperty(navigator, name, { value, configurable: true });
window.t = (text, values = {}) =>
  (window.words[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
// What Gradio names in English whatever the language; that a slider is one is said by its role.
const names = { "More tabs": t("More tabs"), "Reset to default value": t("Reset to default value") };
const rename = () => {
  for (const element of document.querySelectorAll("[aria-label]")) {
    const name = element.getAttribute("aria-label");
    const better = names[name] ?? name.replace(/^(number input|range slider) for /, "");
    if (better !== name) element.setAttribute("aria-label", better);
  }
};
if (lang !== "en") new MutationObserver(rename).observe(document, { childList: true, subtree: true });
