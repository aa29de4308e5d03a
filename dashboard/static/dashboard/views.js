// A reader's own views of a table: filters and order under a name, and columns that are not shown; kept in this browser.

const MOST_VIEWS = 20;

export function bindViews(menu) {
  const viewsKey = `julaba-views:${location.pathname}`;
  const columnsKey = `julaba-columns:${location.pathname}`;
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const heads = [...document.querySelectorAll(".table thead th")].map((head) => head.textContent.replace(/[▲▼]/gu, "").trim());
  let views = read(viewsKey).filter((view) => typeof view?.name === "string" && typeof view?.query === "string");
  const extra = [...document.querySelectorAll(".table thead th.extra")].map((head) => head.textContent.trim());
  const hidden = new Set(read(columnsKey, extra).filter((name) => heads.slice(1).includes(name)));
  // From here on the reader's choice decides, not the style that hides what is extra until this runs.
  document.documentElement.classList.add("columns-chosen");

  function apply() {
    const rules = heads.flatMap((name, index) => (hidden.has(name) ? [`.table :is(th, td):nth-child(${index + 1}) { display: none !important; }`] : []));
    sheet.replaceSync(rules.join("\n"));
  }

  function show() {
    const field = element("input", { name: "view", maxLength: 40, placeholder: "name of this view", ariaLabel: "Name of this view", autocomplete: "off" });
    const save = element("button", { type: "button", className: "button", textContent: "Keep" });
    save.addEventListener("click", () => keep(field.value.trim()));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      keep(field.value.trim());
    });
    const line = element("div", { className: "view-new" });
    field.setAttribute("form", "views");
    line.append(field, save);
    const columns = element("fieldset", { className: "view-columns" });
    columns.append(element("legend", { textContent: "Columns" }), ...heads.slice(1).map(column));
    menu.querySelector(".menu-items").replaceChildren(...views.map(entry), line, ...(heads.length > 1 ? [columns] : []));
  }

  function entry(view) {
    const line = element("div", { className: "view-line" });
    const remove = element("button", { type: "button", textContent: "×", ariaLabel: `Forget ${view.name}` });
    remove.addEventListener("click", () => change(views.filter((each) => each !== view)));
    line.append(element("a", { href: `?${view.query}`, textContent: view.name }), remove);
    return line;
  }

  function column(name) {
    const label = element("label");
    const box = element("input", { type: "checkbox", checked: !hidden.has(name) });
    box.setAttribute("form", "views");
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(name);
      else hidden.add(name);
      write(columnsKey, [...hidden]);
      apply();
    });
    label.append(box, ` ${name}`);
    return label;
  }

  function keep(name) {
    if (!name) return;
    const asked = new URLSearchParams(location.search);
    asked.delete("page");
    change([...views.filter((view) => view.name !== name), { name, query: String(asked) }].slice(-MOST_VIEWS));
  }

  function change(wanted) {
    views = wanted;
    write(viewsKey, views);
    show();
  }

  // It stands among the filters, but what is chosen in it filters nothing.
  menu.addEventListener("change", (event) => event.stopPropagation());
  menu.addEventListener("toggle", () => menu.open && show());
  apply();
  menu.hidden = false;
}

function element(tag, values = {}) {
  return Object.assign(document.createElement(tag), values);
}

function read(key, usual = []) {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "null");
    return Array.isArray(found) ? found : usual;
  } catch {
    return usual; // Storage is blocked or holds something else.
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Not stored: it holds until the page is left.
  }
}
