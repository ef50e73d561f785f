/* The stock lookup: a field that scanners and fingers type into, hits for the arrow keys, and numbers that stay true. */
import { drawAll } from "./charts.js";
import { listen } from "./desk-socket.js";

const TYPING_PAUSE_MS = 180;
const lookup = document.getElementById("lookup");
const at = (id) => document.getElementById(id);
const field = at("lookup-q"), list = at("lookup-list");
let hits = [], chosen = -1, timer = 0, asked = 0;

/* ---- hits while typing ---- */
function show() {
  list.replaceChildren(...hits.map((hit, index) => {
    const row = document.createElement("li"), name = document.createElement("span"), note = document.createElement("span");
    row.id = `lookup-hit-${index}`;
    row.role = "option";
    row.ariaSelected = String(index === chosen);
    name.textContent = hit.name;
    note.textContent = `${hit.sku} · ${hit.note}`;
    note.className = "wb-lookup-sub";
    row.append(name, note);
    row.addEventListener("mousedown", (event) => {
      event.preventDefault();
      open(index);
    });
    return row;
  }));
  list.hidden = hits.length === 0;
  field.ariaExpanded = String(hits.length > 0);
  if (chosen < 0) field.removeAttribute("aria-activedescendant");
  else {
    field.setAttribute("aria-activedescendant", `lookup-hit-${chosen}`);
    at(`lookup-hit-${chosen}`).scrollIntoView({ block: "nearest" });
  }
}

function open(index) {
  location.assign(hits[index].url);
}

function hide() {
  clearTimeout(timer);
  asked += 1;
  hits = [];
  chosen = -1;
  show();
}

async function ask() {
  const mine = (asked += 1), text = field.value.trim();
  if (text.length < 2) {
    hide();
    return;
  }
  try {
    const answer = await fetch(`${lookup.dataset.hitsUrl}?q=${encodeURIComponent(text)}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected || mine !== asked) return;
    hits = (await answer.json()).hits;
    if (mine !== asked) return;
    chosen = -1;
    show();
    at("lookup-count").textContent = hits.length ? `${hits.length} found. Arrow keys choose, Enter opens.` : "Nothing found yet.";
  } catch {
    at("lookup-count").textContent = "No connection: press Enter when it is back.";
  }
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, TYPING_PAUSE_MS);
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  else if (event.key === "Enter" && chosen >= 0) {
    event.preventDefault();
    open(chosen);
  } else if (hits.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) + hits.length) % hits.length;
    show();
  }
});
field.addEventListener("blur", hide);
at("lookup-form").addEventListener("submit", (event) => {
  hide();
  if (!field.value.trim()) event.preventDefault();
});

/* lookup-field.js took what was typed before this script ran: it is asked for now. */
if (field.value !== field.defaultValue) field.dispatchEvent(new Event("input"));
else field.focus({ preventScroll: true });

/* ---- numbers that stay true: the stream says that something moved, the page is asked again ---- */
function showLine(name, text) {
  at("lookup-live").dataset.state = name;
  at("lookup-live").textContent = text;
}

async function refresh() {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (answer.redirected) return showLine("ended", "You are logged out. Reload the page to log in again.");
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.querySelector("[data-live]"), before = document.querySelector("[data-live]");
  if (!now || !before) return;
  const wasOpen = before.querySelector("details")?.open;
  before.replaceWith(document.adoptNode(now));
  if (wasOpen) document.querySelector("[data-live] details").open = true;
  drawAll();
}

if (lookup.dataset.product) {
  const itself = new RegExp(`"(inventory_id|product_id)":${lookup.dataset.product}[,}]`);
  listen({
    topics: ["stock", "orders", "catalog", "transfers", "purchasing", "alerts"],
    cursor: Number(lookup.dataset.cursor),
    concerns: (frame) => itself.test(JSON.stringify(frame)),
    onNews: () => refresh().catch(() => {}),
    onState: showLine,
  });
}
