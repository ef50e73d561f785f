/* Fields get their names where Unfold's markup gives none: choosers, which say only what is chosen, and fields in table rows. */
(() => {
  "use strict";
  const clean = (text) => (text || "").replace(/\s+/g, " ").replace(/\*/g, "").trim();
  const column = (field) => {
    const cell = field.closest("td");
    if (!cell) return "";
    if (cell.dataset.label) return clean(cell.dataset.label);
    const head = cell.closest("table")?.querySelectorAll("thead th")[cell.cellIndex];
    return clean(head && head.textContent);
  };
  const nameOf = (field) => {
    const label = field.id && document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
    const named = clean((label && label.textContent) || field.getAttribute("aria-label") || column(field));
    return named || clean((field.name || "").replace(/^.*-/, "").replace(/_/g, " ")) || "Choose";
  };
  const chooser = (box) => {
    const select = box.closest(".select2")?.previousElementSibling;
    if (!(select instanceof HTMLSelectElement) || box.dataset.named) return;
    box.dataset.named = "yes";
    const name = nameOf(select);
    const shown = box.querySelector(".select2-selection__rendered");
    const chosen = clean(shown && shown.textContent);
    const full = chosen ? `${name}: ${chosen}` : name;
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", full);
    if (shown && shown.getAttribute("role") === "textbox") shown.setAttribute("aria-label", full);
    const search = box.querySelector(".select2-search__field");
    if (search) search.setAttribute("aria-label", name);
    // What is chosen later is part of the name, too.
    select.addEventListener("change", () => setTimeout(() => { delete box.dataset.named; chooser(box); }));
  };
  const inRow = (field) => {
    if (field.type === "hidden" || field.getAttribute("aria-label") || field.labels?.length) return;
    field.setAttribute("aria-label", nameOf(field));
  };
  const all = () => {
    document.querySelectorAll("td input, td select, td textarea").forEach(inRow);
    document.querySelectorAll(".select2-selection").forEach(chooser);
  };
  document.addEventListener("DOMContentLoaded", () => {
    all();
    new MutationObserver(all).observe(document.body, { childList: true, subtree: true });
  });
})();
