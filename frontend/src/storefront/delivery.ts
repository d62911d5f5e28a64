/**
 * How does an event reach the server? Stored first, then sent in order, in batches, and forgotten only when the
 * server said 2xx. What was sent but not confirmed goes again; the server knows it by its messageId.
 *
 * Every event has its own key in the store, so two tabs never overwrite each other's queue.
 */
import type { Store } from "./store";

/** Segment's limit per event; the batch limit keeps room below the 64 KiB that browsers allow a leaving page. */
const MAX_EVENT_BYTES = 32_000;
const MAX_BATCH_BYTES = 56_000;
const MAX_BATCH_EVENTS = 100;
/** Events kept while the server cannot be reached; the oldest go first. */
const MAX_STORED = 300;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const TIMEOUT_MS = 15_000;
const START = "e.";

export interface Target {
  url: string;
  writeKey: string;
  /** How long to gather events before a batch leaves, in ms. */
  gatherMs: number;
}

interface Batch {
  keys: string[];
  body: string;
}

export interface Delivery {
  /** Store one event (plain JSON) and send it soon. False: too large, not taken. */
  push(event: object): boolean;
  flush(): Promise<void>;
  /** The page goes away: hand the rest to the browser. */
  leave(): void;
  /** The page came back from the browser's cache: a request may have died meanwhile. */
  wake(): void;
  clear(): void;
}

export function bytes(text: string): number {
  return new Blob([text]).size;
}

export function startDelivery(store: Store, target: Target): Delivery {
  let last = 0;
  let failures = 0;
  let refused = false;
  let onlyOne = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let flying: string[] | undefined;

  /** Sorts after every stored key, even when the clock jumped back or two pages work in one millisecond. */
  function nextKey(newest = ""): string {
    last = Math.max(Date.now() * 1000, last + 1, parseInt(newest.slice(START.length, -3), 36) + 1 || 0);
    return START + last.toString(36).padStart(11, "0") + Math.random().toString(36).slice(2, 5).padEnd(3, "0");
  }

  function gather(skip: string[] = []): Batch | undefined {
    const keys: string[] = [];
    const events: string[] = [];
    let size = 300;
    for (const key of store.keys(START)) {
      const event = skip.includes(key) ? null : store.get(key);
      if (!event) continue;
      size += bytes(event) + 1;
      if (keys.length && (size > MAX_BATCH_BYTES || keys.length >= (onlyOne ? 1 : MAX_BATCH_EVENTS))) break;
      keys.push(key);
      events.push(event);
    }
    if (!keys.length) return;
    const head = JSON.stringify({ writeKey: target.writeKey, sentAt: new Date().toISOString() });
    return { keys, body: `${head.slice(0, -1)},"batch":[${events.join()}]}` };
  }

  function schedule(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), ms);
  }

  function retry(afterSeconds: number): void {
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++);
    schedule(Math.max(wait * (0.5 + Math.random() / 2), Math.min(afterSeconds || 0, 600) * 1000));
  }

  function settle(batch: Batch, status: number, afterSeconds: number): void {
    if (status >= 200 && status < 300) {
      batch.keys.forEach(store.remove);
      failures = 0;
      onlyOne = onlyOne && store.keys(START).length > 0;
      return schedule(0);
    }
    if (status === 401 || status === 403 || status === 404) {
      refused = true; // a wrong key or address: nothing will pass on this page, and nothing is thrown away
      return console.warn(`[rekindle] refused with ${status}: check the write key and the address`);
    }
    if (status < 400 || status >= 500 || status === 408 || status === 429) return retry(afterSeconds);
    if (batch.keys.length > 1) {
      onlyOne = true; // one bad event must not take its neighbours along
    } else {
      batch.keys.forEach(store.remove);
      console.warn(`[rekindle] event refused with ${status}`);
    }
    schedule(0);
  }

  async function flush(): Promise<void> {
    if (flying || refused) return;
    const batch = gather();
    if (!batch) return;
    flying = batch.keys;
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), TIMEOUT_MS);
    let status = 0;
    let afterSeconds = 0;
    try {
      // text/plain needs no preflight request; the key travels in the body, so no header is needed either
      const answer = await fetch(target.url, {
        method: "POST",
        body: batch.body,
        headers: { "Content-Type": "text/plain" },
        credentials: "omit",
        keepalive: true,
        signal: stop.signal,
      });
      status = answer.status;
      afterSeconds = Number(answer.headers.get("Retry-After"));
    } catch {
      status = 0;
    }
    clearTimeout(limit);
    const current = flying === batch.keys; // false: wake() gave this request up
    if (current) flying = undefined;
    if (current || status === 200) settle(batch, status, afterSeconds);
  }

  return {
    push(event) {
      const text = JSON.stringify(event);
      if (bytes(text) > MAX_EVENT_BYTES) return false;
      const stored = store.keys(START);
      stored.slice(0, Math.max(0, stored.length - MAX_STORED + 1)).forEach(store.remove);
      store.set(nextKey(stored[stored.length - 1]), text);
      if (!failures) schedule(target.gatherMs);
      return true;
    },
    flush,
    leave() {
      const batch = refused ? undefined : gather(flying);
      if (batch) navigator.sendBeacon?.(target.url, batch.body);
    },
    wake() {
      flying = undefined;
      schedule(0);
    },
    clear() {
      store.keys(START).forEach(store.remove);
    },
  };
}
