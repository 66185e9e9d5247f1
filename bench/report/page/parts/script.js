"use strict";
const one = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (text) => { one("status").textContent = text; };

// Dark or light: the system's choice until the button is pressed; nothing is kept.
const system = matchMedia("(prefers-color-scheme: dark)");
const toggle = one("theme");
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
const told = () => toggle.setAttribute("aria-pressed", isDark());
toggle.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  told();
});
system.addEventListener("change", told);
toggle.hidden = false;
told();

// Sorting. Rows without a value stay last, whichever way.
function value(row, column) {
  const cell = row.cells[column];
  if (!cell.classList.contains("number")) return cell.textContent.trim().toLowerCase();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}
function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}
function sort(head, name) {
  const table = head.closest("table"), body = table.tBodies[0];
  const usual = "down" in head.dataset ? "descending" : "ascending";
  const other = usual === "ascending" ? "descending" : "ascending";
  const way = head.getAttribute("aria-sort") === usual ? other : usual;
  for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", way);
  const keyed = [...body.rows].map((row) => [value(row, head.cellIndex), row]);
  const there = keyed.filter(([key]) => key !== null);
  there.sort(([a], [b]) => (way === "ascending" ? compare(a, b) : compare(b, a)));
  body.append(...[...there, ...keyed.filter(([key]) => key === null)].map(([, row]) => row));
  table.toggleAttribute("data-sorted", !(name === "#" && way === "ascending"));
  say(`${table.caption.textContent.split(":")[0]} sorted by ${name}, ${way}`);
}
for (const head of all(".ranked thead th[data-about]")) {
  const button = document.createElement("button"), name = head.textContent;
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => sort(head, name));
  head.replaceChildren(button);
}
all(".ranked:not(.grid) thead th").filter((th) => th.textContent === "#").forEach((th) => th.setAttribute("aria-sort", "ascending"));

// Filtering: every word must be in the row, every choice be the row's.
const filter = one("filter");
function apply() {
  const words = one("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const choices = all("select", filter).filter((select) => select.value);
  const rows = all(".ranked tbody tr");
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !(
      words.every((word) => text.includes(word)) &&
      choices.every((select) => row.dataset[select.dataset.of] === select.value) &&
      (!one("measured")?.checked || "measured" in row.dataset)
    );
  }
  for (const board of all(".board")) board.hidden = all("tbody tr", board).every((row) => row.hidden);
  const shown = rows.filter((row) => !row.hidden).length;
  say(shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows shown`);
}
if (filter) {
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("reset", () => setTimeout(apply));
  filter.hidden = false;
  apply();
}

// Provenance: what a link leads to is shown in a dialog; Esc closes it, and focus goes back.
const dialog = one("source");
let opener = null;
function behind(link) {
  const part = one(link.getAttribute("href").slice(1)), body = one("source-body");
  const head = link.dataset.head;
  const name = (link.closest("tr").querySelector(".name") ?? link.closest("tr").querySelector("th")).textContent.trim();
  const about = all(".ranked thead th").find((th) => th.dataset.about && th.textContent === head);
  one("source-head").textContent = head === "estimator" ? name : `${name}, ${head}: ${link.textContent}`;
  one("source-about").textContent = about ? about.dataset.about : "";
  body.replaceChildren(part.querySelector(".behind").cloneNode(true));
  for (const cell of all("[data-head]", body)) cell.classList.toggle("asked", cell.dataset.head === head);
  opener = link;
  dialog.showModal();
  body.querySelector(".asked")?.scrollIntoView({ block: "nearest", inline: "end" });
  dialog.scrollTop = 0;
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.from");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  behind(link);
});
dialog?.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog?.addEventListener("close", () => opener?.focus());
all("a.from").forEach((link) => link.setAttribute("aria-haspopup", "dialog"));

// A link into a closed part opens it; paper has every part open.
function reveal() {
  const part = location.hash && one(decodeURIComponent(location.hash.slice(1)));
  if (part) all("details", document).filter((one) => one.contains(part)).forEach((one) => { one.open = true; });
}
addEventListener("hashchange", reveal);
reveal();
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details.printed:not([open])");
  closed.forEach((part) => { part.open = true; });
});
addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
