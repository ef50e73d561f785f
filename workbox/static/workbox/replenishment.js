/* Replenishment: what the chosen rows cost while quantities are edited, and what a vendor does not deliver. */
const plan = document.getElementById("plan"), form = document.getElementById("plan-form");
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const unitPrice = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });

function read(row) {
  const id = row.dataset.row;
  const field = row.querySelector(`[name="quantity_${id}"]`);
  const vendor = row.querySelector(`[name="vendor_${id}"]`)?.value;
  const terms = JSON.parse(document.getElementById(`terms-${id}`).textContent)[vendor];
  const quantity = field ? Number(field.value.trim()) : NaN;
  return { field, terms, quantity, isChosen: row.querySelector("[name=chosen]")?.checked ?? false, vendor };
}

/* What the vendor would say to this quantity; empty when he delivers it. */
function objection({ quantity, terms }) {
  if (!(quantity > 0)) return "Write a number above zero.";
  if (!terms) return "";
  if (quantity < terms.minimum) return `${terms.name} delivers no less than ${plain.format(terms.minimum)}.`;
  const packs = quantity / terms.pack;
  if (terms.pack > 0 && Math.abs(packs - Math.round(packs)) > 1e-9) {
    const fits = Math.ceil(packs - 1e-9) * terms.pack;
    return `${terms.name} packs ${plain.format(terms.pack)}: ${plain.format(fits)} would be full packs.`;
  }
  return "";
}

function priceOf({ quantity, terms }) {
  let price = terms.prices[0][1];
  for (const [from, unit] of terms.prices) if (quantity >= from) price = unit;
  return price;
}

function cost(row) {
  const now = read(row);
  if (!now.field) return null;
  const said = objection(now), note = row.querySelector(".wb-plan-note");
  note.textContent = said;
  now.field.ariaInvalid = String(!(now.quantity > 0));
  if (!(now.quantity > 0) || !now.terms) return { ...now, total: 0 };
  const price = priceOf(now), total = price * now.quantity;
  row.querySelector("[data-cost]").textContent = money.format(total);
  row.querySelector("[data-price]").textContent = `${unitPrice.format(price)} each`;
  return { ...now, total };
}

function sum() {
  const rows = [...form.querySelectorAll("[data-row]")].map((row) => read(row)).filter((one) => one.isChosen);
  const total = rows.reduce((all, one) => all + (one.terms && one.quantity > 0 ? priceOf(one) * one.quantity : 0), 0);
  const vendors = new Set(rows.map((one) => one.vendor)).size;
  document.getElementById("plan-sum").textContent = rows.length
    ? `${rows.length} chosen from ${vendors} ${vendors === 1 ? "vendor" : "vendors"}: ${money.format(total)}.`
    : "Nothing is chosen yet.";
}

if (plan && form && document.getElementById("plan-sum")) {
  form.addEventListener("input", (event) => {
    const row = event.target.closest("[data-row]");
    if (event.target.id === "plan-all") form.querySelectorAll("[name=chosen]").forEach((one) => (one.checked = event.target.checked));
    else if (row && event.target.name !== "chosen") {
      cost(row);
      const tick = row.querySelector("[name=chosen]");
      if (event.target.classList.contains("wb-plan-quantity")) tick.checked = true;
    }
    sum();
  });
  /* Enter in a quantity goes on to the next one; the button orders. */
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.classList.contains("wb-plan-quantity")) return;
    event.preventDefault();
    const fields = [...form.querySelectorAll(".wb-plan-quantity")];
    (fields[fields.indexOf(event.target) + 1] ?? form.querySelector("button[type=submit]")).focus();
  });
  for (const row of form.querySelectorAll("[data-row]")) if (!row.querySelector(".wb-plan-note").textContent) cost(row);
  sum();
}
