"use strict";
(() => {
  const tables = [...document.querySelectorAll("table.rules")], rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const held = document.querySelector("details.held");
  const verdict = document.getElementById("verdict"), find = document.getElementById("find");
  const filter = () => {
    const wanted = find.value.toLowerCase();
    let left = 0;
    for (const row of rows) {
      const text = row.cells[1].textContent.toLowerCase();
      row.hidden = (verdict.value && row.dataset.verdict !== verdict.value) || !text.includes(wanted);
      left += !row.hidden;
    }
    if (held && (wanted || verdict.value)) held.open = true;
    document.getElementById("shown").textContent = `${left} of ${rows.length}`;
  };
  if (find) {
    verdict.addEventListener("change", filter);
    find.addEventListener("input", filter);
    document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());
  }
  const key = (row, at) => {
    const cell = row.cells[at], told = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent.trim();
    const number = parseFloat(told.replace("−", "-").replaceAll(",", ""));
    return Number.isNaN(number) ? told : number;
  };
  for (const table of tables) {
    const body = table.tBodies[0], sorted = [...body.rows];
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[aria-sort]");
      if (!head) return;
      const up = head.getAttribute("aria-sort") !== "ascending", at = head.cellIndex;
      for (const other of table.tHead.rows[0].cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sorted.sort((a, b) => {
        const x = key(a, at), y = key(b, at);
        const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1;
        return up ? order : -order;
      });
      body.append(...sorted);
    });
  }
  const data = document.getElementById("curves");
  if (!data) return;
  const models = JSON.parse(data.textContent), slider = document.getElementById("threshold");
  const share = (part, all) => (all ? (part / all).toFixed(3) : "undefined");
  const explore = () => {
    const at = Number(slider.value), out = document.getElementById("points");
    document.getElementById("at").textContent = at.toFixed(2);
    out.replaceChildren(...models.map((model) => {
      const [n, m] = model.totals, held = model.at.find((one) => one[0] >= at) || [1, 0, 0];
      const [, wrong, right] = held, row = document.createElement("tr");
      const told = [model.model, (wrong + right).toLocaleString("en"), share(right, wrong + right), share(right, m),
        share(wrong, n), share(right + n - wrong, n + m)];
      for (const text of told) row.insertCell().textContent = text;
      return row;
    }));
  };
  slider.addEventListener("input", explore);
  document.getElementById("explorer").hidden = false;
  explore();
})();
