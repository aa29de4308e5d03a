// The form of the parameters: marks what was edited, counts it, and shows what matches the filter.

export function bindParameters(form) {
  const edits = [...form.querySelectorAll(".edit")].map((row) => ({ row, field: row.querySelector("input, select, textarea"), text: row.dataset.search.toLowerCase() }));
  const said = document.getElementById("edited");
  const filter = document.getElementById("parameter-filter");

  function mark() {
    let count = 0;
    for (const { row, field } of edits) {
      const edited = sent(field) !== row.dataset.now && Number(sent(field) || NaN) !== Number(row.dataset.now || NaN);
      row.classList.toggle("edited", edited);
      count += edited;
    }
    said.textContent = count ? `${count} edited` : "nothing edited";
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { row, text } of edits) row.hidden = !words.every((word) => text.includes(word));
    for (const card of form.querySelectorAll(".card:has(.edits)")) card.hidden = !card.querySelector(".edit:not([hidden])");
  }

  form.addEventListener("input", (event) => (event.target === filter ? show() : mark()));
  // Enter in the filter proposes nothing.
  filter.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  mark();
}

function sent(field) {
  if (field.type === "checkbox") return field.checked ? "on" : "";
  return field.value;
}
