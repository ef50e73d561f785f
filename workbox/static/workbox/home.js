/* The home page: fetched anew when orders, stock or alerts move; the chart takes its colours from the theme. */
import { listen, showState } from "./desk-socket.js";

const home = document.getElementById("home");
const figures = document.getElementById("figures");
let chart = null;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw() {
  const canvas = document.getElementById("month-chart");
  chart?.destroy();
  chart = null;
  if (!canvas) return;
  const rows = [...document.querySelectorAll("#month-table tr[data-day]")].map((row) => row.dataset);
  const [text, line, link, warn] = ["--wb-soft", "--wb-line", "--wb-link", "--wb-warn"].map(colour);
  const axis = { ticks: { color: text, precision: 0 }, grid: { color: line }, beginAtZero: true };
  chart = new Chart(canvas, {
    data: {
      labels: rows.map((row) => row.day),
      datasets: [
        { type: "bar", label: "Revenue", data: rows.map((row) => Number(row.revenue)), backgroundColor: link, yAxisID: "y", order: 2 },
        { type: "line", label: "Orders", data: rows.map((row) => Number(row.orders)), borderColor: warn, backgroundColor: warn, pointRadius: 2, yAxisID: "orders", order: 1 },
      ],
    },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
      plugins: { legend: { labels: { color: text, usePointStyle: true } } },
      scales: {
        x: { ticks: { color: text, maxRotation: 0, autoSkip: true }, grid: { display: false } },
        y: axis,
        orders: { ...axis, position: "right", grid: { drawOnChartArea: false } },
      },
    },
  });
}

/* The same element in the new text: by its place on the page where it has no id. */
function keyOf(node) {
  return node && figures.contains(node) ? [...figures.querySelectorAll("a, summary")].indexOf(node) : -1;
}

async function refresh() {
  const answer = await fetch(home.dataset.figuresUrl).catch(() => null);
  if (!answer || answer.redirected || !answer.ok) {
    showState("reconnecting", answer?.redirected ? "You are logged out. Reload to log in again." : "No answer; the next change tries again.");
    return;
  }
  const html = await answer.text();
  const before = new Map([...figures.querySelectorAll("[data-figure]")].map((one) => [one.dataset.figure, one.querySelector("strong").textContent]));
  const focused = keyOf(document.activeElement);
  const isOpen = document.getElementById("month-table")?.open;
  figures.innerHTML = html;
  if (isOpen) document.getElementById("month-table").open = true;
  if (focused >= 0) figures.querySelectorAll("a, summary")[focused]?.focus({ preventScroll: true });
  for (const one of figures.querySelectorAll("[data-figure]")) {
    if (before.get(one.dataset.figure) !== one.querySelector("strong").textContent) one.classList.add("wb-moved");
  }
  draw();
}

draw();
new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
listen({ topics: ["orders", "stock", "alerts"], cursor: Number(home.dataset.cursor), onNews: refresh, onState: showState });
