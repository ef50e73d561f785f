/* The live page: a snapshot from the server, kept true by /ws. Facts are absolute and carry a version or a cursor, so a frame
   that comes twice or late changes nothing; after a break the page asks for everything since the last cursor it saw. */
(() => {
  "use strict";

  const FIRST_WAIT_MS = 500;
  const WAIT_MAX_MS = 30000;
  const PRODUCTS_MAX = 300;
  const ORDERS_MAX = 60;
  const SEARCH_PAUSE_MS = 250;
  const ANNOUNCE_PAUSE_MS = 4000;
  const CLOSE = { stale: 1013, loggedOut: 4401, foreign: 4403, slow: 4408, flood: 4429 };

  const byId = (id) => document.getElementById(id);
  const begin = JSON.parse(byId("begin").textContent);
  const products = new Map(); // id → { fact, row }
  const orders = new Map(); // id → { fact, item }
  let cursor = begin.cursor;
  let socket = null;
  let failures = 0;
  let retryTimer = 0;
  let silenceTimer = 0;
  let heartbeatMs = 25000;
  let query = "";
  let snapshots = 0;
  let resyncing = false;

  // ---- numbers ----
  const quantity = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
  const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  const sum = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const words = (status) => (status || "").replaceAll("_", " ");

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function flash(node) {
    node.classList.remove("flash");
    void node.offsetWidth; // restarts the animation
    node.classList.add("flash");
  }

  // ---- stock ----
  function paintProduct(fact, row, before) {
    const link = element("a", "", fact.name);
    link.href = begin.product_url.replace("/0/", `/${fact.id}/`);
    const name = element("td", "name");
    name.append(link);
    const available = element("td", "number available");
    const value = element("span", "", quantity.format(fact.available));
    if (fact.is_stocked && fact.available <= 0) value.className = "low out";
    else if (fact.is_stocked && fact.threshold !== null && fact.available <= fact.threshold) value.className = "low";
    if (before && before.available !== fact.available) available.classList.add(before.available < fact.available ? "up" : "down");
    available.append(value);
    row.replaceChildren(
      element("td", "sku", fact.sku), name, available, element("td", "number", quantity.format(fact.reserved)),
      element("td", "number", quantity.format(fact.on_hand)), element("td", "number price", money.format(fact.price)),
    );
    row.dataset.product = fact.id;
    row.dataset.version = fact.version;
  }

  function showProduct(fact, { isNews }) {
    const known = products.get(fact.id);
    if (known && known.fact.version > fact.version) return;
    if (known) {
      const before = known.fact;
      const moved = before.version !== fact.version || before.price !== fact.price || before.name !== fact.name;
      known.fact = { ...before, ...fact, threshold: fact.threshold ?? before.threshold, is_stocked: fact.is_stocked ?? before.is_stocked };
      if (!moved) return;
      paintProduct(known.fact, known.row, isNews ? before : null);
      if (isNews) flash(known.row);
      return;
    }
    if (isNews && query && !`${fact.sku} ${fact.name}`.toLowerCase().includes(query.toLowerCase())) return;
    const row = element("tr");
    const whole = { threshold: null, is_stocked: true, ...fact };
    paintProduct(whole, row, null);
    products.set(fact.id, { fact: whole, row });
    if (isNews) {
      byId("products").prepend(row);
      flash(row);
      while (products.size > PRODUCTS_MAX) dropLast(byId("products"), products, "product");
    } else {
      byId("products").append(row);
    }
  }

  function dropLast(list, map, key) {
    map.delete(Number(list.lastElementChild.dataset[key]));
    list.lastElementChild.remove();
  }

  function describeStock(count) {
    const limited = count >= begin.products_max ? "Those that moved most are listed; every other one joins when it moves." : "";
    byId("stock-note").textContent = query ? `${count} found for “${query}”.` : limited;
    const empty = byId("products-empty");
    empty.hidden = products.size > 0;
    empty.textContent = query
      ? `No product matches “${query}”.`
      : "No products yet. Record the first one in the admin under Products; it appears here at once.";
  }

  // ---- orders ----
  function showOrder(fact, { isNews }) {
    const known = orders.get(fact.id);
    if (known && known.fact.cursor > fact.cursor) return;
    const merged = { ...(known ? known.fact : {}), ...fact };
    const item = known ? known.item : element("li");
    const what = element("span", "what");
    const link = element("a", "", `Order ${fact.id}`);
    link.href = begin.order_url.replace("/0/", `/${fact.id}/`);
    what.append(link, element("span", `status ${merged.status}`, words(merged.status)));
    item.replaceChildren(
      what, element("span", "sum", sum.format(merged.total)),
      element("span", "sub", [merged.buyer, merged.items].filter(Boolean).join(" · ")), element("time", "sub", clock.format(new Date(merged.at))),
    );
    item.dataset.order = fact.id;
    item.dataset.status = merged.status;
    orders.set(fact.id, { fact: merged, item });
    if (isNews) {
      byId("orders").prepend(item);
      flash(item);
      while (orders.size > ORDERS_MAX) dropLast(byId("orders"), orders, "order");
    } else if (!known) {
      byId("orders").append(item);
    }
    byId("orders-empty").hidden = orders.size > 0;
  }

  function itemsText(items) {
    if (!items || !items.length) return "";
    const first = items.slice(0, 2).map((one) => `${quantity.format(one.quantity)} × ${one.name}`).join(", ");
    return items.length > 2 ? `${first} and ${items.length - 2} more` : first;
  }

  // ---- what a screen reader hears: at most one sentence every few seconds ----
  let announceTimer = 0;
  let unsaid = 0;
  let lastSaid = "";
  function announce(text) {
    unsaid += 1;
    lastSaid = text;
    if (announceTimer) return;
    announceTimer = setTimeout(() => {
      byId("announcer").textContent = unsaid > 1 ? `${lastSaid} and ${unsaid - 1} other changes` : lastSaid;
      announceTimer = unsaid = 0;
    }, ANNOUNCE_PAUSE_MS);
  }

  // ---- frames ----
  const onFrame = {
    hello(frame) {
      heartbeatMs = frame.heartbeat_seconds * 1000;
      const topics = frame.topics.filter((topic) => topic === "stock" || topic === "orders");
      socket.send(JSON.stringify({ action: "subscribe", topics, since: cursor }));
    },
    subscribed() {
      failures = 0;
      if (!resyncing) state("live", "Live");
    },
    heartbeat() {},
    pong() {},
    resync_required(frame) {
      cursor = frame.cursor;
      products.clear(); // what was known may be from another time; only what comes from now on is newer than the snapshot
      orders.clear();
      byId("products").replaceChildren(); // rows that nothing leads to any more would stay for ever
      byId("orders").replaceChildren();
      resync();
    },
    inventory_update(frame) {
      showProduct(
        {
          id: frame.inventory_id, sku: frame.sku, name: frame.name, price: frame.price, available: frame.stock_quantity,
          reserved: frame.reserved, on_hand: frame.on_hand, version: frame.version,
        },
        { isNews: true },
      );
      byId("products-empty").hidden = products.size > 0;
      announce(`${frame.name}: ${quantity.format(frame.stock_quantity)} available`);
    },
    order_placed(frame) {
      showOrder(
        { id: frame.order_id, status: frame.status, total: frame.total_amount, at: frame.at, items: itemsText(frame.items), cursor: frame.cursor },
        { isNews: true },
      );
      announce(`Order ${frame.order_id} placed`);
    },
    order_updated(frame) {
      showOrder({ id: frame.order_id, status: frame.status, total: frame.total_amount, at: frame.at, cursor: frame.cursor }, { isNews: true });
      announce(`Order ${frame.order_id} ${words(frame.status)}`);
    },
    error(frame) {
      byId("stock-note").textContent = frame.detail;
    },
  };

  function receive(text) {
    const frame = JSON.parse(text);
    const act = onFrame[frame.type];
    if (act) act(frame);
    if (typeof frame.cursor === "number" && frame.type !== "hello" && frame.cursor > cursor) cursor = frame.cursor;
  }

  // ---- connection ----
  function state(name, text, link) {
    byId("connection").dataset.state = name;
    const place = byId("connection-text");
    place.textContent = text;
    if (link) {
      const anchor = element("a", "", link.text);
      anchor.href = link.url;
      place.append(" ", anchor);
    }
  }

  function watchSilence() {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(() => {
      if (socket) socket.close(4000, "silent");
    }, heartbeatMs * 2.5);
  }

  function connect() {
    clearTimeout(retryTimer);
    state(failures ? "reconnecting" : "connecting", failures ? "Reconnecting…" : "Connecting…");
    const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket = opened;
    watchSilence();
    opened.onmessage = (message) => {
      watchSilence();
      receive(message.data);
    };
    opened.onclose = (event) => {
      clearTimeout(silenceTimer);
      if (socket !== opened) return;
      socket = null;
      closed(event.code);
    };
  }

  function closed(code) {
    if (code === CLOSE.loggedOut) {
      state("ended", "You are logged out.", { text: "Log in again", url: begin.login_url });
      return;
    }
    if (code === CLOSE.foreign) {
      state("ended", "This address may not listen here: the server does not know it as its own.");
      return;
    }
    failures += 1;
    // Too slow for the stream: the gap is known, come back at once; too many windows: leave the others in peace.
    const longest = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures, 10), WAIT_MAX_MS);
    const wait = code === CLOSE.slow && failures === 1 ? 0 : code === CLOSE.flood ? WAIT_MAX_MS : longest * (0.5 + Math.random() / 2);
    countDown(performance.now() + wait, code === CLOSE.flood ? "Too many live windows are open. " : "");
  }

  function countDown(until, why) {
    const left = until - performance.now();
    if (left <= 0) {
      connect();
      return;
    }
    state("reconnecting", `${why}Reconnecting in ${Math.ceil(left / 1000)} s`);
    retryTimer = setTimeout(countDown, Math.min(left, 1000), until, why);
  }

  async function fetchSnapshot() {
    const answer = await fetch(`${begin.rows_url}?q=${encodeURIComponent(query)}`, { headers: { Accept: "application/json" } });
    if (answer.status === 401) {
      if (socket) socket.close(1000);
      state("ended", "You are logged out.", { text: "Log in again", url: begin.login_url });
      throw new Error("logged out");
    }
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.json();
  }

  async function resync() {
    resyncing = true;
    state("resyncing", "Catching up…");
    try {
      showSnapshot(await fetchSnapshot());
      if (socket) state("live", "Live");
    } catch (error) {
      byId("stock-note").textContent = `Could not fetch fresh numbers: ${error.message}.`;
      if (socket) socket.close(4000, "resync failed");
    } finally {
      resyncing = false;
    }
  }

  function showSnapshot(snapshot) {
    // What frames told us about the same products may be newer than the rows that were just read: versions decide.
    const newer = [...products.values()].map((one) => one.fact);
    products.clear();
    byId("products").replaceChildren();
    if (!orders.size) byId("orders").replaceChildren();
    for (const fact of snapshot.products) showProduct(fact, { isNews: false });
    for (const fact of newer) {
      if (products.has(fact.id)) showProduct(fact, { isNews: false });
    }
    for (const fact of snapshot.orders) showOrder({ ...fact, cursor: snapshot.cursor }, { isNews: false });
    describeStock(snapshot.products.length);
  }

  // ---- search ----
  let searchTimer = 0;
  async function search() {
    const mine = ++snapshots;
    query = byId("search").value.trim();
    try {
      const snapshot = await fetchSnapshot();
      if (mine === snapshots) showSnapshot(snapshot);
    } catch (error) {
      byId("stock-note").textContent = `The search failed: ${error.message}. Type again to retry.`;
    }
  }
  byId("search").addEventListener("input", () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(search, SEARCH_PAUSE_MS);
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(searchTimer);
    search();
  });

  window.addEventListener("online", () => {
    if (!socket && byId("connection").dataset.state !== "ended") connect();
  });
  window.addEventListener("pagehide", () => {
    const open = socket;
    socket = null;
    if (open) open.close(1000);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) connect();
  });

  showSnapshot(begin);
  byId("orders-empty").hidden = orders.size > 0;
  connect();
})();
