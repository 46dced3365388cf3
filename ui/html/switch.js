// Looks as pictures or as dropdowns; what is hidden, the CSS knows. The browser remembers.
const inputs = [...element.querySelectorAll("input")], as = kept("looks-as", undefined, "localStorage");
for (const input of inputs) input.checked = input.value === (as ?? inputs[0].value);
element.addEventListener("change", ({ target }) => kept("looks-as", target.value, "localStorage"));
