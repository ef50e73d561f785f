/* The order board: cards move by drag, button or key; the server decides, and its words stand on the card. */
import { listen, showState } from "./desk-socket.js";

const board = document.getElementById("board");
const columns = document.getElementById("columns");
const said = document.getElementById("said");
const token = board.querySelector("[name=csrfmiddlewaretoken]").value;
const selected = new Set(); // order ids, as text
const errors = new Map(); // order id → what was refused, kept over a refresh until the order moves
let focused = ""; // the card the arrow keys stand on
let dragged = "";

const byId = (id) => document.getElementById(id);
const cardOf = (id) => byId(`card-${id}`);
const cards = () => [...columns.querySelectorAll(".wb-order-card")];

function tell(text) {
  said.textContent = text;
}

// ---- the server ----
async function post(url, fields) {
  const body = new URLSearchParams(fields);
  const answer = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token, Accept: "application/json" } });
  if (answer.redirected) {
    location.assign(board.dataset.loginUrl);
    throw new Error("You are logged out.");
  }
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  const found = isJson ? await answer.json() : { detail: `The server answered ${answer.status}. Reload the page and try again.` };
  return { ok: answer.ok, ...found };
}

let refreshing = null;
let again = false;
async function refresh() {
  if (refreshing) {
    again = true;
    return refreshing;
  }
  refreshing = (async () => {
    do {
      again = false;
      const answer = await fetch(board.dataset.cardsUrl);
      if (answer.redirected) return location.assign(board.dataset.loginUrl);
      if (answer.ok) show(await answer.text());
    } while (again && !dragged);
  })().catch(() => showState("reconnecting", "No answer from the server; the next change tries again.")).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

function show(html) {
  if (dragged) return void (again = true); // never take a card out of somebody's hand
  const before = new Map(cards().map((card) => [card.dataset.order, card.dataset.status]));
  const active = document.activeElement.closest?.(".wb-order-card");
  const button = active && document.activeElement.dataset.step;
  const lefts = [columns.querySelector(".wb-columns")?.scrollLeft || 0];
  columns.innerHTML = html;
  columns.querySelector(".wb-columns").scrollLeft = lefts[0];
  for (const card of cards()) {
    const was = before.get(card.dataset.order);
    if (was !== undefined && was !== card.dataset.status) errors.delete(card.dataset.order);
    if (was !== card.dataset.status) card.classList.add("wb-moved");
  }
  decorate();
  if (active) {
    const same = cardOf(active.dataset.order) || cards()[0];
    ((button && same?.querySelector(`[data-step=${button}]`)) || same)?.focus({ preventScroll: true });
  }
}

/* What the page knows and the server does not: selection, refusals, where the keyboard stands. */
function decorate() {
  for (const id of selected) if (!cardOf(id)?.querySelector(".wb-select")) selected.delete(id);
  if (!cardOf(focused)) focused = cards()[0]?.dataset.order || "";
  for (const card of cards()) {
    const id = card.dataset.order;
    const box = card.querySelector(".wb-select");
    if (box) box.checked = selected.has(id);
    card.classList.toggle("wb-selected", selected.has(id));
    const refusal = card.querySelector(".wb-card-error");
    refusal.hidden = !errors.has(id);
    refusal.textContent = errors.get(id) || "";
    const stands = id === focused ? 0 : -1; // one card is in the tab order, with all that is on it
    for (const one of [card, ...card.querySelectorAll("a, button, input")]) one.tabIndex = stands;
  }
  byId("bulk").hidden = selected.size === 0;
  byId("bulk-count").textContent = `${selected.size} selected`;
}

// ---- one order ----
async function take(id, step, fields = {}) {
  const card = cardOf(id);
  if (!card || card.getAttribute("aria-busy") === "true") return;
  card.setAttribute("aria-busy", "true");
  try {
    const url = board.dataset.stepUrl.replace("/0/", `/${id}/`).replace("STEP", step);
    const answer = await post(url, fields);
    if (answer.ok) {
      errors.delete(id);
      tell(answer.detail);
    } else {
      errors.set(id, answer.detail);
    }
  } catch (error) {
    errors.set(id, `The server could not be reached (${error.message}). Try again; what was done is not done twice.`);
  } finally {
    cardOf(id)?.removeAttribute("aria-busy");
    decorate();
  }
  await refresh();
}

function ask(dialog) {
  return new Promise((answer) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => answer(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}

async function cancel(id) {
  byId("cancel-title").textContent = `Cancel order ${id}?`;
  byId("cancel-reason").value = "";
  const answer = ask(byId("cancel-dialog"));
  byId("cancel-reason").focus();
  if ((await answer) === "cancel") await take(id, "cancel", { reason: byId("cancel-reason").value });
  cardOf(id)?.focus();
}

function step(id, name) {
  return name === "cancel" ? cancel(id) : take(id, name);
}

function refuse(id, text) {
  errors.set(id, text);
  decorate();
}

function next(id) {
  const card = cardOf(id);
  const name = card.dataset.next;
  if (name) return take(id, name);
  return refuse(id, `Order ${id} is ${words(card.dataset.status)}: there is no next status.`);
}

const words = (status) => status.replaceAll("_", " ");

/* A card was let go over a column: which step leads there? The server says whether this order may take it. */
function drop(id, column) {
  const card = cardOf(id);
  if (!card || column.dataset.status === card.dataset.status) return;
  if (column.dataset.step) return step(id, column.dataset.step);
  const text = column.dataset.status === "partially_shipped"
    ? "To ship a part, open the order and choose Ship."
    : `An order does not go back to ${words(column.dataset.status)}.`;
  return refuse(id, text);
}

// ---- a selection ----
function select(id, isOn) {
  if (isOn && !cardOf(id).querySelector(".wb-select")) return;
  if (isOn) selected.add(id);
  else selected.delete(id);
  decorate();
}

async function bulk(name) {
  const ids = [...selected];
  const verb = name === "ship" ? "Ship" : "Confirm";
  byId("confirm-title").textContent = `${verb} ${ids.length} ${ids.length === 1 ? "order" : "orders"}?`;
  byId("confirm-yes").textContent = verb;
  if ((await ask(byId("confirm-dialog"))) !== "yes") return;
  const place = byId("bulk-results");
  place.hidden = false;
  place.textContent = `${verb}…`;
  try {
    const answer = await post(board.dataset.bulkUrl.replace("STEP", name), ids.map((id) => ["order", id]));
    const list = document.createElement("ul");
    for (const row of answer.results || []) {
      const item = document.createElement("li");
      item.className = row.is_done ? "wb-in" : "wb-out";
      item.textContent = row.is_done ? row.detail : `Order ${row.order_id}: ${row.detail}`;
      list.append(item);
      if (row.is_done) selected.delete(String(row.order_id));
      else errors.set(String(row.order_id), row.detail);
    }
    const head = document.createElement("strong");
    head.textContent = answer.detail;
    place.replaceChildren(head, list);
  } catch (error) {
    place.textContent = `The server could not be reached (${error.message}). Reload to see what was done.`;
  }
  place.focus();
  decorate();
  await refresh();
}

// ---- mouse and finger ----
columns.addEventListener("click", (event) => {
  const card = event.target.closest(".wb-order-card");
  if (!card) return;
  const button = event.target.closest("[data-step]");
  if (button && button.tagName === "BUTTON") step(card.dataset.order, button.dataset.step);
});
columns.addEventListener("change", (event) => {
  if (event.target.matches(".wb-select")) select(event.target.closest(".wb-order-card").dataset.order, event.target.checked);
});
columns.addEventListener("dragstart", (event) => {
  const card = event.target.closest?.(".wb-order-card");
  if (!card) return;
  dragged = card.dataset.order;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", `Order ${dragged}`);
  card.classList.add("wb-dragged");
});
function over(event) {
  const column = dragged && event.target.closest?.(".wb-column");
  for (const one of columns.querySelectorAll(".wb-over")) if (one !== column) one.classList.remove("wb-over");
  if (!column) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "move";
  column.classList.add("wb-over");
}
columns.addEventListener("dragenter", over);
columns.addEventListener("dragover", over);
columns.addEventListener("drop", (event) => {
  const column = event.target.closest(".wb-column");
  if (!column || !dragged) return;
  event.preventDefault();
  const id = dragged;
  endDrag();
  drop(id, column);
});
columns.addEventListener("dragend", endDrag);
function endDrag() {
  for (const one of columns.querySelectorAll(".wb-over, .wb-dragged")) one.classList.remove("wb-over", "wb-dragged");
  dragged = "";
  if (again) refresh();
}

// ---- keys ----
function go(card) {
  if (!card) return;
  focused = card.dataset.order;
  decorate();
  card.focus();
}

function beside(card, direction) {
  const all = [...columns.querySelectorAll(".wb-column")];
  const row = [...card.parentElement.children].indexOf(card);
  for (let at = all.indexOf(card.closest(".wb-column")) + direction; at >= 0 && at < all.length; at += direction) {
    const found = all[at].querySelectorAll(".wb-order-card");
    if (found.length) return found[Math.min(row, found.length - 1)];
  }
  return null;
}

const KEYS = {
  ArrowUp: (card) => go(card.previousElementSibling),
  ArrowDown: (card) => go(card.nextElementSibling),
  ArrowLeft: (card) => go(beside(card, -1)),
  ArrowRight: (card) => go(beside(card, 1)),
  n: (card) => next(card.dataset.order),
  c: (card) => (card.dataset.cancel ? cancel(card.dataset.order) : refuse(card.dataset.order, `Order ${card.dataset.order} is ${words(card.dataset.status)}; it cannot be cancelled.`)),
  " ": (card) => select(card.dataset.order, !selected.has(card.dataset.order)),
  Enter: (card) => card.querySelector(".wb-card-number").click(),
  "?": () => ask(byId("keys-dialog")),
};
columns.addEventListener("keydown", (event) => {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || !event.target.matches(".wb-order-card")) return;
  event.preventDefault();
  act(event.target);
});
columns.addEventListener("focusin", (event) => {
  const card = event.target.closest(".wb-order-card");
  if (!card || card.dataset.order === focused) return;
  focused = card.dataset.order;
  decorate();
});

// ---- bar ----
byId("keys-button").addEventListener("click", () => ask(byId("keys-dialog")));
byId("bulk-clear").addEventListener("click", () => {
  selected.clear();
  byId("bulk-results").hidden = true;
  decorate();
});
byId("bulk").addEventListener("click", (event) => {
  const button = event.target.closest("[data-bulk]");
  if (button) bulk(button.dataset.bulk);
});
byId("pick-form")?.addEventListener("submit", (event) => {
  for (const old of event.target.querySelectorAll("[name=_selected_action]")) old.remove();
  for (const id of selected) {
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: "_selected_action", value: id });
    event.target.append(field);
  }
});

decorate();
listen({ topics: ["orders", "stock"], cursor: Number(board.dataset.cursor), onNews: refresh, onState: showState });
