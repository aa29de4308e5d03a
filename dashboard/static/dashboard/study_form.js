// The form of a run: only the fields that the chosen kind of study needs are shown and sent.

export function bindStudyForm(kind) {
  function show() {
    for (const part of document.querySelectorAll("fieldset[data-kinds]")) {
      const isNeeded = part.dataset.kinds.split(" ").includes(kind.value);
      part.hidden = !isNeeded;
      part.disabled = !isNeeded;
    }
  }
  kind.addEventListener("change", show);
  show();
}
