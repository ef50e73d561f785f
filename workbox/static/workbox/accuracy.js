/* How far a training is; when it is over the page shows what came of it. */
const PAUSE_MS = 2000;
const page = document.getElementById("accuracy"), place = document.getElementById("training");

async function look() {
  try {
    const answer = await fetch(page.dataset.progressUrl, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const { job } = await answer.json();
    document.getElementById("training-text").textContent = job.text;
    document.getElementById("training-bar").value = job.progress;
    if (job.is_over) {
      location.replace(location.href);
      return;
    }
  } catch {
    document.getElementById("training-text").textContent = "No connection; asking again.";
  }
  setTimeout(look, PAUSE_MS);
}

if (place.dataset.job && place.dataset.over === "no") setTimeout(look, PAUSE_MS);
