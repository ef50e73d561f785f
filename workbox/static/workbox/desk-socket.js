/* Listens to /ws for pages that fetch themselves anew when something moves: at most one call in a while, none lost. */
const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 30000;
const SETTLE_MS = 300; // news comes in bursts: wait until it is quiet …
const PATIENCE_MS = 1500; // … but no longer than this
const CLOSE = { loggedOut: 4401, foreign: 4403, flood: 4429 };

/* `onNews()` is called after news of these topics (of those that `concerns(frame)`, if it is given), and after a break;
   `onState(name, text)` whenever the line changes. */
export function listen({ topics, cursor, onNews, onState, concerns = () => true }) {
  let since = cursor;
  let socket = null;
  let failures = 0;
  let silenceTimer = 0;
  let retryTimer = 0;
  let heartbeatMs = 25000;
  let settleTimer = 0;
  let firstUnshown = 0;
  let wasLive = false;

  function news() {
    const now = performance.now();
    firstUnshown = firstUnshown || now;
    clearTimeout(settleTimer);
    settleTimer = setTimeout(() => {
      firstUnshown = 0;
      onNews();
    }, Math.max(0, Math.min(SETTLE_MS, firstUnshown + PATIENCE_MS - now)));
  }

  function receive(frame) {
    if (frame.type === "hello") {
      heartbeatMs = frame.heartbeat_seconds * 1000;
      socket.send(JSON.stringify({ action: "subscribe", topics: frame.topics.filter((one) => topics.includes(one)), since }));
    } else if (frame.type === "subscribed") {
      failures = 0;
      onState("live", "Live");
      if (wasLive) news();
      wasLive = true;
    } else if (frame.type === "resync_required") {
      since = frame.cursor;
      news();
    } else if (frame.type === "error") {
      onState("ended", frame.detail);
    } else if (frame.type !== "heartbeat" && frame.type !== "pong" && concerns(frame)) {
      news();
    }
    if (typeof frame.cursor === "number" && frame.type !== "hello" && frame.cursor > since) since = frame.cursor;
  }

  function watchSilence() {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(() => socket && socket.close(4000, "silent"), heartbeatMs * 2.5);
  }

  function connect() {
    clearTimeout(retryTimer);
    const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket = opened;
    watchSilence();
    /* The page was left while this was on its way: closing it earlier is a complaint in the console. */
    opened.onopen = () => socket !== opened && opened.close(1000);
    opened.onmessage = (message) => {
      watchSilence();
      receive(JSON.parse(message.data));
    };
    opened.onclose = (event) => {
      clearTimeout(silenceTimer);
      if (socket !== opened) return;
      socket = null;
      closed(event.code);
    };
  }

  function closed(code) {
    if (code === CLOSE.loggedOut) return onState("ended", "You are logged out. Log in again.");
    if (code === CLOSE.foreign) return onState("ended", "This address may not listen here. Reload to see fresh numbers.");
    failures += 1;
    const longest = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures, 10), WAIT_MAX_MS);
    const wait = code === CLOSE.flood ? WAIT_MAX_MS : longest * (0.5 + Math.random() / 2);
    onState("reconnecting", "Reconnecting…");
    retryTimer = setTimeout(connect, wait);
  }

  window.addEventListener("online", () => !socket && connect());
  window.addEventListener("pagehide", () => {
    const open = socket;
    socket = null;
    clearTimeout(retryTimer);
    if (open?.readyState === WebSocket.OPEN) open.close(1000);
  });
  window.addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
}

/* The page's live badge: a dot and a word. */
export function showState(name, text) {
  const place = document.getElementById("live-state");
  if (!place) return;
  place.dataset.state = name;
  document.getElementById("live-text").textContent = text;
}
