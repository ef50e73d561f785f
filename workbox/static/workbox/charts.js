/* Charts from figures that stand in the page: <canvas data-wb-chart="id of a JSON script">. Chart.js comes with Unfold.
   Every canvas carries its summary in words; colours follow the theme, and nothing moves for who asked for that. */
const still = matchMedia("(prefers-reduced-motion: reduce)");
const drawn = new Map(); // canvas → chart
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--wb-chart-${name}`).trim();
}

/* How a series looks, by its name in the JSON. */
const LOOKS = {
  bars: () => ({ type: "bar", backgroundColor: colour("past"), barPercentage: 1, categoryPercentage: 0.9, order: 3 }),
  line: () => ({ type: "line", borderColor: colour("line"), backgroundColor: colour("line"), borderWidth: 2, pointRadius: 0, order: 1 }),
  second: () => ({ type: "line", borderColor: colour("mark"), backgroundColor: colour("mark"), borderWidth: 2, pointRadius: 0, borderDash: [6, 4], order: 1 }),
  steps: () => ({ type: "line", borderColor: colour("line"), backgroundColor: colour("band"), borderWidth: 2, pointRadius: 0, stepped: true, fill: true, order: 1 }),
  low: () => ({ type: "line", borderWidth: 0, pointRadius: 0, backgroundColor: "transparent", order: 2 }),
  band: () => ({ type: "line", borderWidth: 0, pointRadius: 0, backgroundColor: colour("band"), fill: "-1", order: 2 }),
  marks: () => ({ type: "line", showLine: false, pointStyle: "triangle", pointRadius: 7, pointHoverRadius: 9, borderColor: colour("mark"), backgroundColor: colour("mark"), order: 0 }),
};

function settings(told) {
  const text = colour("text"), grid = colour("grid");
  const hidden = told.series.map((one) => one.look === "low");
  return {
    responsive: true, maintainAspectRatio: false, animation: still.matches ? false : { duration: 250 },
    interaction: { mode: "index", intersect: false },
    plugins: {
      legend: { position: "bottom", align: "start", labels: { color: text, boxWidth: 14, boxHeight: 10, usePointStyle: false, filter: (item) => !hidden[item.datasetIndex] } },
      tooltip: { callbacks: { label: (item) => (item.parsed.y === null ? null : `${item.dataset.label}: ${number.format(item.parsed.y)}`) } },
    },
    scales: {
      x: { ticks: { color: text, maxTicksLimit: 7, maxRotation: 0, autoSkipPadding: 16 }, grid: { display: false } },
      y: { beginAtZero: true, ticks: { color: text, maxTicksLimit: 6 }, grid: { color: grid }, title: { display: Boolean(told.unit), text: told.unit, color: text } },
    },
  };
}

function draw(canvas) {
  const source = document.getElementById(canvas.dataset.wbChart);
  if (!source || !window.Chart) return;
  drawn.get(canvas)?.destroy();
  const told = JSON.parse(source.textContent);
  const datasets = told.series.map((one) => ({ label: one.label, data: one.values, ...LOOKS[one.look]() }));
  drawn.set(canvas, new window.Chart(canvas, { type: "line", data: { labels: told.labels, datasets }, options: settings(told) }));
  canvas.dataset.drawn = "yes";
}

/* Draws what is there and not drawn yet, and forgets what is gone. */
export function drawAll() {
  for (const [canvas, chart] of drawn) {
    if (!canvas.isConnected) {
      chart.destroy();
      drawn.delete(canvas);
    }
  }
  for (const canvas of document.querySelectorAll("canvas[data-wb-chart]")) {
    if (!drawn.has(canvas)) draw(canvas);
  }
}

const redraw = () => [...drawn.keys()].forEach(draw);
new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
still.addEventListener("change", redraw);
document.addEventListener("htmx:afterSettle", drawAll);
drawAll();
