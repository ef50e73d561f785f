/* How far a planning job is; when it is over the page shows what came of it. */
const PAUSE_MS = 2000;
const place = document.getElementById("planning-job");

function say(text) {
  document.getElementById("planning-job-text").textContent = text;
}

async function look() {
  try {
    const answer = await fetch(place.dataset.progressUrl, { credentials: "same-origin" });
    if (answer.redirected) {
      say("You are logged out. Reload the page to log in again.");
      return;
    }
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const { job } = await answer.json();
    say(job.text);
    document.getElementById("planning-job-bar").value = job.progress;
    if (job.is_over) {
      location.replace(location.href);
      return;
    }
  } catch {
    say("No answer; asking again.");
  }
  setTimeout(look, PAUSE_MS);
}

if (place?.dataset.over === "no") setTimeout(look, PAUSE_MS);
