/* Choosers get the name of their field: Unfold's select boxes say only what is chosen, which is nothing at first. */
(() => {
  "use strict";
  const name = (box) => {
    const select = box.closest(".select2")?.previousElementSibling;
    if (!(select instanceof HTMLSelectElement) || box.dataset.named) return;
    const label = select.id && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    const column = select.closest("td")?.dataset.label || select.getAttribute("aria-label") || "Choose";
    const text = (label ? label.textContent : column).replace(/\s+/g, " ").replace(/\*/g, "").trim();
    box.dataset.named = "yes";
    const shown = box.querySelector(".select2-selection__rendered");
    const own = document.createElement("span");
    own.className = "wb-hidden";
    own.id = `${shown ? shown.id : select.id}-name`;
    own.textContent = text;
    box.parentElement.append(own);
    if (box.getAttribute("role") === "combobox") {
      box.setAttribute("aria-labelledby", shown ? `${own.id} ${shown.id}` : own.id);
    }
    const search = box.querySelector(".select2-search__field");
    if (search) search.setAttribute("aria-label", text);
  };
  const all = () => document.querySelectorAll(".select2-selection").forEach(name);
  document.addEventListener("DOMContentLoaded", () => {
    all();
    new MutationObserver(all).observe(document.body, { childList: true, subtree: true });
  });
})();
