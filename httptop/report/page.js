"use strict";
// The tables can be read without it: it sorts by the column that is clicked, and looks for rows.
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const valueOf = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const number = head.classList.contains("n");
      const was = head.getAttribute("aria-sort");
      const order = was === (number ? "descending" : "ascending")
        ? (number ? "ascending" : "descending")
        : (number ? "descending" : "ascending");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [left, right] = [valueOf(a, at), valueOf(b, at)];
        if (typeof left !== typeof right) return typeof left === "number" ? -1 : 1;
        return sign * (typeof left === "number" ? left - right : left.localeCompare(right));
      });
      body.append(...rows);
    });
  });
  if (table.classList.contains("searched")) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const found = document.createElement("output");
    label.className = "search";
    input.type = "search";
    label.append("Rows with ", input, " ", found);
    table.parentElement.before(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      found.textContent = words.length ? `${shown} of ${body.rows.length}` : "";
    });
  }
}
