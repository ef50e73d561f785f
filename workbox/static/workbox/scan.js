/* The scan station: a field that keeps the focus, a queue that loses nothing, and what happened in words, colour and sound. */
import { Queue } from "./scan-queue.js";
import { Camera } from "./scan-camera.js";

const RETRY_MS = 5000;
const LAST_SHOWN = 12;
/* So many digits are a code that the scanner typed into the quantity; from so many units on somebody is asked first. */
const CODE_DIGITS_MIN = 8, ASK_FROM = 10000;
const station = document.getElementById("scan");
const at = (id) => document.getElementById(id);
const field = at("scan-code"), amount = at("scan-quantity"), result = at("scan-result");
const MODES = station.dataset.modes.split(",");
const NAMES = Object.fromEntries([...station.querySelectorAll("[data-mode]")].map((one) => [one.dataset.mode, one.textContent.trim()]));
const SETUP = "workbox-scan-setup", MUTED = "workbox-scan-muted";
/* Which choices a mode asks for: names of fields of the request. */
const ASKS = {
  look_up: [], receive: ["purchase_order_id", "warehouse_id", "reason"], pick: ["order_id"], count: ["count_id"],
  move: ["warehouse_id", "to_warehouse_id"], adjust: ["takes_away", "warehouse_id", "reason"],
};
/* The code on a paper chooses the paper. */
const PAPERS = { ORDER: ["pick", "order_id"], PO: ["receive", "purchase_order_id"], COUNT: ["count", "count_id"] };
const PAPER_FIELDS = Object.values(PAPERS).map(([, name]) => name);
const LISTS = { purchase_order_id: "purchase_orders", order_id: "orders", count_id: "counts", warehouse_id: "warehouses", to_warehouse_id: "warehouses" };

let queue, mode = MODES[0], sending = null, isAskedAgain = false, unreached = navigator.onLine ? "" : "offline", retry = 0, basket = {};
let setup = JSON.parse(localStorage.getItem(SETUP) ?? "{}");
let isMuted = localStorage.getItem(MUTED) === "yes";
let audio = null;

/* ---- sound and colour ---- */
function beep(...tones) {
  if (isMuted || navigator.userActivation?.hasBeenActive === false || !window.AudioContext) return;
  audio ??= new AudioContext();
  let start = audio.currentTime;
  for (const [hertz, seconds] of tones) {
    const tone = audio.createOscillator(), volume = audio.createGain();
    tone.frequency.value = hertz;
    volume.gain.value = 0.12;
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + seconds);
    start += seconds + 0.05;
  }
}

const SOUNDS = { good: [[1200, 0.08]], bad: [[220, 0.18], [220, 0.18]], waiting: [[600, 0.06], [600, 0.06]] };

function say(state, text, more = "") {
  result.dataset.state = state;
  at("scan-text").textContent = text;
  at("scan-more").textContent = more;
  if (SOUNDS[state]) beep(...SOUNDS[state]);
}

/* ---- asking the server ---- */
function token() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
  return cookie ? cookie.slice("csrftoken=".length) : station.querySelector("[name=csrfmiddlewaretoken]").value;
}

/* {answer} booked or found · {error} refused in words · {later: why} not answered: the same may be sent again */
async function post(url, body) {
  if (!navigator.onLine) return { later: "offline" };
  let response;
  try {
    response = await fetch(url, {
      method: "POST", credentials: "same-origin", body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
    });
  } catch {
    return { later: "offline" };
  }
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  if (response.redirected || !isJson) return { later: response.status >= 500 ? "server" : "login" };
  const told = await response.json();
  if (!response.ok || told.refused?.code === "idempotency_in_progress") return { later: "server" };
  return told.refused ? { error: told.refused } : { answer: told };
}

const WHY = {
  offline: "No connection: scans are kept here and sent when it is back.",
  server: "The server is busy: scans are kept here and sent again.",
  login: "You are logged out: scans are kept here. Log in again in this window.",
};

/* ---- one scan ---- */
function problem() {
  const chosen = (name) => setup[name];
  if (mode === "receive" && !chosen("purchase_order_id")) {
    if (!chosen("warehouse_id")) return ["warehouse_id", "Choose a purchase order, or a warehouse and a reason."];
    if (!setup.reason?.trim()) return ["reason", "Say why: goods without a purchase order need a reason."];
  }
  if (mode === "pick" && !chosen("order_id")) return ["order_id", "Choose the order to pick, or scan the code on its pick list."];
  if (mode === "count" && !chosen("count_id")) return ["count_id", "Choose the count. None there? Open one under Counts first."];
  if (mode === "move" && !(chosen("warehouse_id") && chosen("to_warehouse_id"))) return ["to_warehouse_id", "Choose from where to where."];
  if (mode === "adjust" && !chosen("warehouse_id")) return ["warehouse_id", "Choose the warehouse."];
  if (mode === "adjust" && !setup.reason?.trim()) return ["reason", "Say why: an adjustment needs a reason."];
  return null;
}

function bodyOf(code) {
  const body = { mode, code, quantity: amount.value.trim() || "1" };
  for (const name of ASKS[mode]) {
    if (mode === "receive" && setup.purchase_order_id && name !== "purchase_order_id") continue;
    if (setup[name]) body[name] = name === "takes_away" ? setup[name] === "yes" : setup[name];
  }
  return body;
}

async function scanned(raw) {
  const code = raw.trim();
  if (!code) return;
  const paper = /^(ORDER|PO|COUNT)-(\d{1,18})$/.exec(code);
  if (paper && MODES.includes(PAPERS[paper[1]][0])) {
    await choosePaper(...PAPERS[paper[1]], paper[2], code);
    return;
  }
  if (!(Number(amount.value || "1") > 0)) {
    say("bad", "The quantity of a scan must be above zero.");
    return;
  }
  if (mode === "look_up") {
    await lookUp(code);
    return;
  }
  if (Number(amount.value) > ASK_FROM && !window.confirm(`Really ${amount.value} × ${code}? That many are seldom meant.`)) {
    amount.value = "1";
    say("bad", `${code} is not booked; the quantity is 1 again. Scan it once more.`);
    return;
  }
  const missing = problem();
  if (missing) {
    say("bad", missing[1]);
    at(`scan-${missing[0]}`)?.focus();
    return;
  }
  const body = bodyOf(code);
  amount.value = "1";
  const { id } = await queue.add(body, code);
  await show();
  await sync();
  if (unreached && await queue.isWaiting(id)) say("waiting", `${code} is kept, not sent yet.`, WHY[unreached]);
}

async function lookUp(code) {
  const { answer, error, later } = await post(station.dataset.scanUrl, { mode: "look_up", code });
  if (later) say("bad", "Looking up needs the connection.", WHY[later]);
  else if (error) say("bad", error.detail, error.what_to_do);
  else {
    say("good", answer.text, answer.places.map((one) => `${one.warehouse}${one.bin ? ` (${one.bin})` : ""}: ${one.on_hand} on hand, ${one.available} available`).join(" · "));
    const link = document.createElement("a");
    link.href = answer.product.url;
    link.textContent = "Open the product";
    at("scan-more").append(" ", link);
  }
}

async function choosePaper(wanted, name, number, code) {
  const list = at(`scan-${name}`), isListed = () => [...list.options].some((one) => one.value === number);
  if (!isListed() && !await loadChoices({ [name]: number })) {
    say("bad", `${code} cannot be looked up now.`, WHY[unreached] ?? WHY.server);
    return;
  }
  if (!isListed()) {
    say("bad", `${code} is not open: there is nothing to do for it here.`);
    return;
  }
  choose(wanted);
  list.value = number;
  remember(name, number);
  say("good", `${list.selectedOptions[0].textContent} is chosen.`);
}

/* ---- the queue is sent, one after another, in order ---- */
/* One tab sends at a time: two would both put a pick into the basket. A scan that comes while the last ones are being sent
   is sent in one more round: the running one may have looked for the last time. */
function sync() {
  isAskedAgain = true;
  sending ??= sendAll();
  return sending;
}

async function sendAll() {
  try {
    while (isAskedAgain) {
      isAskedAgain = false;
      await (navigator.locks ? navigator.locks.request("workbox-scan-send", send) : send());
    }
  } finally {
    sending = null;
  }
}

async function send() {
  clearTimeout(retry);
  try {
    for (let next = await queue.next(); next; next = await queue.next()) {
      const scan = await queue.claim(next.id);
      if (!scan) continue; // taken back in this moment
      const body = { ...scan.body, key: scan.key, scanned_at: scan.scanned_at };
      if (body.mode === "pick") body.quantities = listed(await queue.basket(body.order_id));
      const { answer, error, later } = await post(station.dataset.scanUrl, { ...body, sent_at: new Date().toISOString() });
      unreached = later ?? "";
      if (later) break;
      Object.assign(scan, answer ? { state: "done", answer, error: null } : { state: "refused", error });
      await follow(scan, answer);
      say(answer ? "good" : "bad", answer ? answer.text : error.detail, answer ? "" : error.what_to_do);
    }
    await queue.tidy();
  } finally {
    await show();
  }
  if (await queue.next()) retry = setTimeout(sync, RETRY_MS);
}

const listed = (items) => Object.entries(items).map(([id, one]) => ({ product_id: Number(id), quantity: one.quantity }));

async function follow(scan, answer) {
  const { mode: did, order_id: order } = scan.body;
  if (!answer || !["pick", "ship"].includes(did)) {
    await queue.keep(scan);
    return;
  }
  if (did === "ship") {
    await queue.settle(scan, order, () => ({}));
    return;
  }
  const { id, name, sku } = answer.product;
  await queue.settle(scan, order, (items) => (
    { ...items, [id]: { quantity: sum(items[id]?.quantity ?? 0, answer.quantity), name: `${name} (${sku})` } }
  ));
}

/* Thousandths are exact in whole numbers. */
const sum = (one, other) => Math.round(one * 1000 + other * 1000) / 1000;

async function shipBasket() {
  const order = setup.order_id, items = await queue.basket(order);
  const all = await queue.all();
  if (all.some((scan) => scan.state === "waiting" && scan.body.order_id === order)) {
    say("bad", "Some scans of this order are not sent yet: wait for the connection, then ship.");
    return;
  }
  await queue.add({ mode: "ship", order_id: order, quantities: listed(items) }, `Ship order ${order}`);
  await show();
  await sync();
  await loadChoices();
}

/* ---- undo ---- */
async function undoLast() {
  const scans = (await queue.all()).filter((scan) => scan.state !== "refused" && !scan.undone && scan.body.mode !== "look_up");
  const last = scans.at(-1);
  if (!last) {
    say("bad", "There is no scan to undo.");
    return;
  }
  if (await queue.takeBack(last.id)) {
    say("good", `${last.label} is taken back; it was not sent.`);
  } else if (last.state === "waiting") {
    say("bad", "The last scan is being sent and no answer came yet: wait a moment, then undo it.");
  } else if (last.body.mode === "pick") {
    await unpick(last);
  } else if (!last.answer.undo) {
    say("bad", "A shipment is not undone here: book a return on the order's page.");
  } else {
    const { answer, error, later } = await post(station.dataset.undoUrl, { key: last.key });
    if (answer) {
      last.undone = true;
      await queue.keep(last);
    }
    say(answer ? "good" : "bad", answer?.text ?? error?.detail ?? "Not undone yet.", error?.what_to_do ?? WHY[later] ?? "");
  }
  await show();
}

async function unpick(last) {
  const { id, name } = last.answer.product;
  last.undone = true;
  const isOut = await queue.settle(last, last.body.order_id, ({ [id]: picked, ...others }) => {
    if (!picked) return null;
    const left = sum(picked.quantity, -last.answer.quantity);
    return left > 0 ? { ...others, [id]: { ...picked, quantity: left } } : others;
  });
  if (isOut) say("good", `Taken back: ${name} is out of the basket.`);
  else say("bad", "It has left already: book a return on the order's page.");
}

/* ---- what is shown ---- */
function row(tag, className, ...parts) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...parts);
  return element;
}

function button(text, onClick) {
  const one = row("button", "wb-scan-small", text);
  one.type = "button";
  one.addEventListener("click", onClick);
  return one;
}

async function show() {
  const all = await queue.all();
  const waiting = all.filter((scan) => scan.state === "waiting"), refused = all.filter((scan) => scan.state === "refused");
  const others = await queue.ofOthers();
  at("scan-connection").dataset.state = unreached ? "offline" : "online";
  at("scan-connection-text").textContent = (unreached ? "Offline" : "Online") + (waiting.length ? `, ${waiting.length} waiting` : "")
    + (others ? `; ${others} of somebody else wait here until they log in` : "");
  at("scan-refused-part").hidden = refused.length === 0;
  at("scan-refused").replaceChildren(...refused.map(refusedRow));
  const last = all.filter((scan) => scan.state !== "refused").slice(-LAST_SHOWN).reverse();
  at("scan-last").replaceChildren(...last.map(lastRow));
  at("scan-empty").hidden = last.length > 0;
  basket = mode === "pick" && setup.order_id ? await queue.basket(setup.order_id) : {};
  at("scan-basket-part").hidden = Object.keys(basket).length === 0;
  at("scan-basket").replaceChildren(...Object.values(basket).map((one) => row("li", "", `${one.quantity} × ${one.name}`)));
}

function refusedRow(scan) {
  const retryIt = button("Try again", async () => {
    Object.assign(scan, { state: "waiting", error: null, is_sure: true });
    await queue.keep(scan);
    await sync();
    focusField();
  });
  const discard = button("Discard", async () => {
    if (!window.confirm(`Discard ${scan.label}? It is not booked.`)) return;
    await queue.forget(scan.id);
    await show();
    focusField();
  });
  retryIt.setAttribute("aria-label", `Try ${scan.label} again`);
  discard.setAttribute("aria-label", `Discard ${scan.label}`);
  const head = row("p", "wb-scan-head", `${nameOf(scan)}: ${scan.label}, ${timeOf(scan)}`);
  const why = row("p", "", `${scan.error?.detail ?? ""} ${scan.error?.what_to_do ?? ""}`);
  return row("li", "wb-scan-refused", head, why, row("p", "wb-scan-buttons", retryIt, discard));
}

const nameOf = (scan) => NAMES[scan.body.mode] ?? "Ship";
const timeOf = (scan) => new Date(scan.scanned_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function lastRow(scan) {
  const text = scan.answer?.text ?? `${nameOf(scan)}: ${scan.label}`;
  const badge = scan.state === "waiting" ? "waiting" : scan.undone ? "undone" : "";
  const parts = [row("span", "wb-note", timeOf(scan)), " ", row("span", "", text)];
  if (badge) parts.push(" ", row("span", `wb-badge ${badge === "waiting" ? "wb-badge-warn" : ""}`, badge));
  return row("li", scan.undone ? "wb-scan-undone" : "", ...parts);
}

/* ---- modes and choices ---- */
function choose(wanted) {
  mode = MODES.includes(wanted) ? wanted : MODES[0];
  setup.mode = mode;
  localStorage.setItem(SETUP, JSON.stringify(setup));
  for (const one of station.querySelectorAll("[data-mode]")) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
  for (const one of station.querySelectorAll("[data-asks]")) {
    const name = one.dataset.asks;
    const isCovered = mode === "receive" && setup.purchase_order_id && name !== "purchase_order_id";
    one.hidden = !ASKS[mode].includes(name) || Boolean(isCovered);
  }
  at("scan-amount").hidden = mode === "look_up";
  show();
}

function remember(name, value) {
  setup[name] = value;
  localStorage.setItem(SETUP, JSON.stringify(setup));
  choose(mode);
}

/* The lists are bounded: what is chosen, and what is `asked` for, is on them all the same. True when they are fresh. */
async function loadChoices(asked = {}) {
  if (!navigator.onLine) {
    unreached = "offline";
    return false;
  }
  const named = Object.entries({ ...setup, ...asked }).filter(([name, value]) => PAPER_FIELDS.includes(name) && value);
  let found;
  try {
    const response = await fetch(`${station.dataset.choicesUrl}?${new URLSearchParams(named)}`, { credentials: "same-origin" });
    if (response.redirected || !response.ok) {
      unreached = response.redirected ? "login" : "server";
      return false;
    }
    found = await response.json();
    unreached = "";
  } catch {
    unreached = "offline";
    return false;
  }
  for (const [name, list] of Object.entries(LISTS)) {
    const select = at(`scan-${name}`), first = select.options[0];
    select.replaceChildren(first, ...found[list].map((one) => new Option(one.label, String(one.id))));
    if (setup[name] && !found[list].some((one) => String(one.id) === setup[name])) delete setup[name];
    if (name === "warehouse_id" && !setup[name] && found[list].length) setup[name] = String(found[list][0].id);
    select.value = setup[name] ?? "";
  }
  choose(mode);
  return true;
}

/* Without a connection the last choice is all there is. */
function keepChosen() {
  for (const name of Object.keys(LISTS)) {
    const select = at(`scan-${name}`);
    if (setup[name]) select.append(new Option(setup[`${name}_label`] ?? setup[name], setup[name], true, true));
  }
  at("scan-reason").value = setup.reason ?? "";
  at("scan-takes_away").value = setup.takes_away ?? "";
}

function focusField() {
  field.focus({ preventScroll: true });
}

/* A scanner types where the focus is: a barcode in the quantity is no quantity. */
function codeInQuantity() {
  const typed = amount.value.trim();
  if (!/^\d+$/.test(typed) || typed.length < CODE_DIGITS_MIN) return "";
  amount.value = "1";
  return typed;
}

function listen() {
  at("scan-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = field.value.trim() || codeInQuantity();
    field.value = "";
    focusField();
    scanned(code);
  });
  /* What is typed or scanned here replaces the number, and does not stand behind it. */
  for (const name of ["focus", "click"]) amount.addEventListener(name, () => amount.select());
  for (const one of station.querySelectorAll("[data-mode]")) {
    one.addEventListener("click", () => { choose(one.dataset.mode); focusField(); });
  }
  for (const name of [...Object.keys(LISTS), "takes_away", "reason"]) {
    const input = at(`scan-${name}`);
    input.addEventListener("change", () => {
      if (input.selectedOptions) setup[`${name}_label`] = input.selectedOptions[0]?.textContent;
      remember(name, input.value);
      if (input.tagName === "SELECT") focusField();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && input.tagName === "INPUT") { event.preventDefault(); input.dispatchEvent(new Event("change")); focusField(); }
    });
  }
  at("scan-undo").addEventListener("click", () => { undoLast(); focusField(); });
  at("scan-ship").addEventListener("click", () => { shipBasket(); focusField(); });
  at("scan-mute").addEventListener("click", () => { mute(!isMuted); focusField(); });
  /* A scanner types wherever the focus is: letters that no other field takes belong to the code. */
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (isTyping || event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopImmediatePropagation(); // the menu's search has a letter of its own
    focusField();
  }, { capture: true });
  window.addEventListener("online", () => { unreached = ""; sync(); loadChoices(); });
  window.addEventListener("offline", () => { unreached = "offline"; show(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { sync(); focusField(); } });
}

function mute(wanted) {
  isMuted = wanted;
  localStorage.setItem(MUTED, isMuted ? "yes" : "no");
  at("scan-mute").setAttribute("aria-pressed", String(isMuted));
}

function openCamera() {
  const camera = new Camera(at("scan-video"), station.dataset.wasm, scanned), switchButton = at("scan-camera");
  switchButton.addEventListener("click", async () => {
    if (camera.isOn) camera.stop();
    else {
      await camera.start().catch((error) => {
        camera.stop();
        say("bad", "The camera cannot be used.", error.name === "NotAllowedError" ? "Allow it in the browser's address bar." : error.message);
      });
    }
    at("scan-video").hidden = !camera.isOn;
    switchButton.setAttribute("aria-pressed", String(camera.isOn));
    focusField();
  });
}

async function keepShell() {
  if (!navigator.serviceWorker) return; // without HTTPS: the queue works all the same while the page is open
  const scope = new URL(station.dataset.pageUrl, location.href).href;
  await navigator.serviceWorker.register(`${station.dataset.workerUrl}?static=${encodeURIComponent(station.dataset.static)}`, { scope });
  const ready = await navigator.serviceWorker.ready;
  const files = performance.getEntriesByType("resource").map((one) => one.name.split("#")[0]);
  const reader = new URL("vendor/barcode-detector/", new URL(station.dataset.script, location.href)).href;
  const extra = [`${reader}ponyfill.js`, `${reader}zxing-exported.js`, new URL(station.dataset.wasm, location.href).href];
  navigator.serviceWorker.addEventListener("message", () => { station.dataset.offline = "ready"; });
  ready.active.postMessage({ keep: [scope, ...new Set([...files, ...extra])] });
}

async function begin() {
  queue = await Queue.open(Number(station.dataset.user));
  mute(isMuted);
  keepChosen();
  choose(setup.mode ?? MODES[0]);
  listen();
  openCamera();
  focusField();
  station.dataset.state = "ready";
  await loadChoices();
  await sync();
  await keepShell();
}

begin();
