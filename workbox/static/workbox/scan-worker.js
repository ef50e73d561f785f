/* The scan station's service worker: the page's shell and its static files open without a connection.
   Answers with data (choices, scans) are never kept; whatever can be fetched is fetched. */
"use strict";

const KEPT = "workbox-scan-1";
const SHELL = new URL(self.registration.scope).href;
const STATIC = new URL(new URL(self.location.href).searchParams.get("static") || "/static/", SHELL).href;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("workbox-scan-") && name !== KEPT) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

/* The page tells which static files it is made of. */
self.addEventListener("message", (event) => {
  const urls = (event.data?.keep ?? []).filter((url) => url === SHELL || url.startsWith(STATIC));
  event.waitUntil((async () => {
    const cache = await caches.open(KEPT);
    await Promise.all(urls.map(async (url) => {
      if (url !== SHELL && await cache.match(url)) return;
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok && !answer.redirected) await cache.put(url, answer);
    }));
    event.source?.postMessage({ kept: urls.length });
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const isShell = request.mode === "navigate" && request.url.split(/[?#]/)[0] === SHELL;
  if (request.method !== "GET" || !(isShell || request.url.startsWith(STATIC))) return;
  event.respondWith(isShell ? shell(request) : asset(request));
});

async function shell(request) {
  const cache = await caches.open(KEPT);
  try {
    if (!navigator.onLine) throw new Error("offline");
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected && answer.type === "basic") await cache.put(SHELL, answer.clone());
    else if (answer.redirected || answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) {
      await cache.delete(SHELL); // logged out: nobody's page is left behind
    } else if (answer.status >= 500) return (await cache.match(SHELL)) ?? answer; // the queue takes scans meanwhile
    return answer;
  } catch {
    return (await cache.match(SHELL)) ?? Response.error();
  }
}

async function asset(request) {
  try {
    if (!navigator.onLine) throw new Error("offline");
    const answer = await fetch(request);
    if (answer.ok && answer.type === "basic") {
      const cache = await caches.open(KEPT);
      if (await cache.match(request.url)) await cache.put(request.url, answer.clone());
    }
    return answer;
  } catch {
    return (await caches.match(request.url)) ?? Response.error();
  }
}
