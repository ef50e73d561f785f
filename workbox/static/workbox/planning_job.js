/* How far a planning job is; when it is over the page shows what came of it. */
const PAUSE_MS = 2000;
const place = document.getElementById("planning-job");

async function look() {
  try {
    const answer = await fetch(place.dataset.progressUrl, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const { job } = await answer.json();
    document.getElementById("planning-job-text").textContent = job.text;
    document.getElementById("planning-job-bar").value = job.progress;
    if (job.is_over) {
      location.replace(location.href);
      return;
    }
  } catch {
    document.getElementById("planning-job-text").textContent = "No connection; asking again.";
  }
  setTimeout(look, PAUSE_MS);
}

if (place?.dataset.over === "no") setTimeout(look, PAUSE_MS);
