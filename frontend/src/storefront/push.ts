/**
 * May this browser show messages? Asked only when the shop says so, after a click of its own; never by itself.
 *
 * The shop hosts a service worker of one line that imports ours (browsers want it from the shop's own address). What
 * the browser hands out is told with the words that were agreed to, and told again when it changes or a week has passed.
 */
import type { Store } from "./store";

export interface PushWish {
  /** The words the shopper agreed to; without them nothing is ever sent. */
  wording?: string;
  /** Where the shop's own service worker lies. */
  worker?: string;
  page?: string;
  method?: string;
}

/** What is remembered of a subscription, so that later pages can keep it fresh. */
interface Kept {
  wish: PushWish;
  endpoint: string;
  user: string | null;
  at: number;
}

export interface PushLine {
  subscribe(wish: PushWish): Promise<boolean>;
  unsubscribe(): Promise<boolean>;
  /** On every page: tell a subscription that changed, renew one that was lost. */
  refresh(): Promise<void>;
}

export const DEFAULT_WORKER = "/rekindle-worker.js";
const TELL_AGAIN_MS = 7 * 86_400_000;
const KEY = "push";

export function canPush(): boolean {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

export function openPush(
  store: Store,
  address: string,
  tell: (subscription: unknown, wish: PushWish) => void,
): PushLine {
  const kept = (): Kept | null => JSON.parse(store.get(KEY) ?? "null");

  async function subscription(wish: PushWish): Promise<PushSubscription | undefined> {
    const answer = await fetch(address, { credentials: "omit" });
    if (!answer.ok) throw new Error(`no key for push: ${answer.status}`);
    const key = bytesOf(((await answer.json()) as { public_key: string }).public_key);
    await navigator.serviceWorker.register(wish.worker ?? DEFAULT_WORKER);
    const { pushManager } = await navigator.serviceWorker.ready;
    const found = await pushManager.getSubscription();
    if (found) {
      const own = new Uint8Array(found.options.applicationServerKey ?? new ArrayBuffer(0));
      if (own.join() === key.join()) return found;
      await found.unsubscribe(); // made under another key: it could never be used
    }
    return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  }

  async function renew(wish: PushWish, before: Kept | null): Promise<boolean> {
    const given = await subscription(wish);
    if (!given) return false;
    const user = store.get("user");
    const same = before && before.endpoint === given.endpoint && before.user === user;
    if (!same || Date.now() - before.at > TELL_AGAIN_MS) {
      tell(given.toJSON(), wish);
      store.set(KEY, JSON.stringify({ wish, endpoint: given.endpoint, user, at: Date.now() } satisfies Kept));
    }
    return true;
  }

  return {
    async subscribe(wish) {
      if (!canPush() || (await Notification.requestPermission()) !== "granted") return false;
      return renew(wish, null);
    },
    async unsubscribe() {
      store.remove(KEY);
      if (!canPush()) return false;
      const registration = await navigator.serviceWorker.getRegistration();
      return (await (await registration?.pushManager.getSubscription())?.unsubscribe()) ?? false;
    },
    async refresh() {
      const before = kept();
      if (!before || !canPush() || Notification.permission !== "granted") return;
      await renew(before.wish, before);
    },
  };
}
