/**
 * The part of a shop's service worker that shows our messages and opens what a click means. Served as
 * /s/push-worker.js; the shop's own file of one line imports it. What is not ours is left to the shop's worker.
 */
export {};

interface Shown {
  v: number;
  id: string;
  title: string;
  body?: string;
  url: string;
  tag?: string;
  icon?: string;
  image?: string;
  lang?: string;
  actions?: { title: string; url: string }[];
}

interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Worker {
  registration: ServiceWorkerRegistration;
  clients: { openWindow(url: string): Promise<unknown> };
  addEventListener(type: string, listener: (event: never) => void): void;
}

const worker = self as unknown as Worker;

function read(data: { json(): unknown } | null): Shown | undefined {
  try {
    const shown = data?.json() as Shown | undefined;
    return shown?.v === 1 && shown.title && shown.url && shown.id ? shown : undefined;
  } catch {
    return undefined; // not JSON: somebody else's
  }
}

worker.addEventListener("push", (event: Lasting & { data: { json(): unknown } | null }) => {
  const shown = read(event.data);
  if (!shown) return;
  const { title, body, tag, icon, image, lang, url, actions = [] } = shown;
  const options = {
    body,
    tag,
    icon,
    image,
    lang,
    data: { rekindle: [url, ...actions.map((action) => action.url)] },
    actions: actions.map((action, place) => ({ action: String(place + 1), title: action.title })),
  };
  event.waitUntil(worker.registration.showNotification(title, options as NotificationOptions));
});

worker.addEventListener("notificationclick", (event: Lasting & { action: string; notification: Notification }) => {
  const urls = (event.notification.data as { rekindle?: string[] } | null)?.rekindle;
  const url = urls?.[Number(event.action)] ?? urls?.[0];
  if (!url) return;
  event.notification.close();
  event.waitUntil(worker.clients.openWindow(url));
});

/** The browser changed the subscription: make a new one under the same key; the next page tells it. */
worker.addEventListener(
  "pushsubscriptionchange",
  (event: Lasting & { oldSubscription?: PushSubscription; newSubscription?: PushSubscription }) => {
    const options = event.oldSubscription?.options;
    if (event.newSubscription || !options?.applicationServerKey) return;
    event.waitUntil(
      worker.registration.pushManager.subscribe({
        userVisibleOnly: true,
        applicationServerKey: options.applicationServerKey,
      }),
    );
  },
);
