// The sheet of many: a face that is picked is taken up.
element.addEventListener("change", ({ target }) => trigger("select", { recipe: target.value }));
