// Looks as pictures or as dropdowns; what is hidden, the CSS knows. The browser remembers.
const KEY = "looks-as";
try {
  const kept = localStorage.getItem(KEY);
  if (kept) element.querySelector(`[value="${CSS.escape(kept)}"]`).checked = true;
} catch { /* storage is off, or something else is in it */ }
element.addEventListener("change", ({ target }) => {
  try { localStorage.setItem(KEY, target.value); } catch { /* storage is off */ }
});
