/* The scans of this browser in IndexedDB: each with its time and a key of its own, sent once and in order.
   States: waiting → done, or waiting → refused (somebody decides) → waiting or gone. */

const NAME = "workbox-scan", VERSION = 1, SCANS = "scans", BASKETS = "baskets";
const DONE_KEPT = 30;
/* The server knows a key for 24 hours. A scan that was sent before that, without an answer, may have been booked. */
const UNSURE_AFTER_MS = 23 * 3600 * 1000;

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function openStore() {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(SCANS, { keyPath: "id", autoIncrement: true });
    request.result.createObjectStore(BASKETS, { keyPath: "id" });
  };
  return asked(request);
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Queue {
  static async open(user) {
    return new Queue(await openStore(), user);
  }

  constructor(store, user) {
    this.store = store;
    this.user = user;
  }

  scans(mode = "readonly") {
    return this.store.transaction(SCANS, mode).objectStore(SCANS);
  }

  baskets(mode = "readonly") {
    return this.store.transaction(BASKETS, mode).objectStore(BASKETS);
  }

  /* Durable before anything is sent. */
  async add(body, label) {
    const scan = { key: newKey(), user: this.user, body, label, scanned_at: new Date().toISOString(), state: "waiting" };
    scan.id = await asked(this.scans("readwrite").add(scan));
    return scan;
  }

  async all() {
    return (await asked(this.scans().getAll())).filter((scan) => scan.user === this.user);
  }

  async isWaiting(id) {
    return (await asked(this.scans().get(id)))?.state === "waiting";
  }

  async ofOthers() {
    return (await asked(this.scans().getAll())).filter((scan) => scan.user !== this.user && scan.state !== "done").length;
  }

  async next() {
    const scan = (await this.all()).find((one) => one.state === "waiting");
    if (!scan?.tried_at || scan.is_sure || Date.now() - Date.parse(scan.tried_at) < UNSURE_AFTER_MS) return scan;
    scan.state = "refused";
    scan.error = {
      detail: "It was sent more than a day ago and no answer came: it may have been booked.",
      what_to_do: "Look at the movements. Discard it when it is there, try again when it is not.",
    };
    await this.keep(scan);
    return this.next();
  }

  async keep(scan) {
    await asked(this.scans("readwrite").put(scan));
  }

  /* Before a scan is sent: it is marked as tried unless it was taken back meanwhile (null then). One transaction, so that
     sending and taking back never both think they were first. */
  async claim(id) {
    const scans = this.scans("readwrite"), scan = await asked(scans.get(id));
    if (scan?.state !== "waiting") return null;
    scan.tried_at ??= new Date().toISOString();
    await asked(scans.put(scan));
    return scan;
  }

  /* The scan is gone if it still waits and was never sent; true when it is. */
  async takeBack(id) {
    const scans = this.scans("readwrite"), scan = await asked(scans.get(id));
    if (scan?.state !== "waiting" || scan.tried_at) return false;
    await asked(scans.delete(id));
    return true;
  }

  async forget(id) {
    await asked(this.scans("readwrite").delete(id));
  }

  async tidy() {
    const done = (await this.all()).filter((scan) => scan.state === "done");
    for (const scan of done.slice(0, Math.max(0, done.length - DONE_KEPT))) await this.forget(scan.id);
  }

  /* What is picked for an order and not shipped yet: product id → {quantity, name}. */
  async basket(order) {
    const found = await asked(this.baskets().get(`${this.user}/${order}`));
    return found?.items ?? {};
  }

  /* A scan and the basket it fills or empties, both or neither: a closed tab must not count a pick twice. `change` makes the
     new basket of the one that is there; null leaves all as it is. Returns whether it was done. */
  async settle(scan, order, change) {
    const id = `${this.user}/${order}`, both = this.store.transaction([SCANS, BASKETS], "readwrite");
    const baskets = both.objectStore(BASKETS);
    const done = new Promise((resolve, reject) => {
      both.oncomplete = resolve;
      both.onerror = both.onabort = () => reject(both.error);
    });
    const items = change((await asked(baskets.get(id)))?.items ?? {});
    if (items) {
      both.objectStore(SCANS).put(scan);
      if (Object.keys(items).length) baskets.put({ id, items });
      else baskets.delete(id);
    }
    await done;
    return Boolean(items);
  }
}
