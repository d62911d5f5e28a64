import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openPage, pass, type Server, setUpBrowser, tearDownBrowser } from "./storefront_kit";

const KEY = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
const WORDS = "Tell me in this browser about my cart.";

let server: Server;
let browser: Browser;

/** What jsdom lacks: permission, a service worker, a push service. */
class Browser {
  permission = "default";
  answer = "granted";
  asked = 0;
  registered: string[] = [];
  subscription: FakeSubscription | null = null;
  made = 0;

  constructor() {
    const manager = {
      getSubscription: async () => this.subscription,
      subscribe: async ({ applicationServerKey }: { applicationServerKey: Uint8Array }) =>
        (this.subscription = new FakeSubscription(this, applicationServerKey, ++this.made)),
    };
    const registration = { pushManager: manager };
    const worker = {
      register: async (path: string) => void this.registered.push(path),
      ready: Promise.resolve(registration),
      getRegistration: async () => registration,
    };
    Object.defineProperty(navigator, "serviceWorker", { value: worker, configurable: true });
    vi.stubGlobal("PushManager", class {});
    const ask = async (): Promise<string> => {
      this.asked++;
      return (this.permission = this.answer);
    };
    const self = this;
    vi.stubGlobal("Notification", {
      requestPermission: ask,
      get permission() {
        return self.permission;
      },
    });
  }
}

class FakeSubscription {
  options: { applicationServerKey: ArrayBuffer };
  endpoint: string;

  constructor(
    readonly browser: Browser,
    key: Uint8Array,
    n: number,
  ) {
    this.options = { applicationServerKey: key.slice().buffer as ArrayBuffer };
    this.endpoint = `https://web.push.apple.com/${n}`;
  }

  toJSON = () => ({ endpoint: this.endpoint, keys: { p256dh: "p", auth: "a" } });

  async unsubscribe(): Promise<boolean> {
    this.browser.subscription = null;
    return true;
  }
}

/** The server answers events, and this to whoever asks for the key. */
function giveKey(status = 200, key = KEY): void {
  const events = globalThis.fetch;
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) =>
    url.includes("/s/push/")
      ? Promise.resolve(new Response(JSON.stringify({ public_key: key }), { status }))
      : events(url, init),
  );
}

beforeEach(() => {
  server = setUpBrowser();
  browser = new Browser();
  giveKey();
});

afterEach(() => {
  tearDownBrowser();
  Reflect.deleteProperty(navigator, "serviceWorker");
});

type Push = { subscribe(wish?: unknown): Promise<boolean>; unsubscribe(): Promise<boolean> };

describe("push", () => {
  test("is never asked for by itself", async () => {
    openPage();
    await pass();
    expect(browser.asked).toBe(0);
    expect(browser.registered).toEqual([]);
  });

  test("subscribes after a yes and tells what was agreed to", async () => {
    const push = openPage("/cart?x=1").push as unknown as Push;
    expect(await push.subscribe({ wording: WORDS })).toBe(true);
    await pass();
    expect(browser.registered).toEqual(["/rekindle-worker.js"]);
    expect(server.accepted).toHaveLength(1);
    expect(server.accepted[0]).toMatchObject({
      type: "identify",
      traits: {
        push: { endpoint: "https://web.push.apple.com/1", keys: { p256dh: "p", auth: "a" } },
        consent: { push: { granted: true, wording: WORDS, page: "https://shop.example/cart", method: "browser prompt" } },
      },
    });
  });

  test("a no is a no", async () => {
    browser.answer = "denied";
    const push = openPage().push as unknown as Push;
    expect(await push.subscribe({ wording: WORDS })).toBe(false);
    await pass();
    expect(server.accepted).toEqual([]);
    expect(browser.made).toBe(0);
  });

  test("is told again only when something changed or a week has passed", async () => {
    await (openPage().push as unknown as Push).subscribe({ wording: WORDS });
    await pass();
    openPage("/cart");
    await pass();
    expect(server.accepted).toHaveLength(1);
    openPage("/account").identify?.("customer-7");
    await pass();
    openPage("/cart");
    await pass();
    expect(server.accepted.map((event) => event.traits?.push !== undefined)).toEqual([true, false, true]);
    vi.setSystemTime(Date.now() + 8 * 86_400_000);
    openPage("/later");
    await pass();
    expect(server.accepted).toHaveLength(4);
    expect(browser.asked).toBe(1);
  });

  test("a subscription that the browser lost is made anew with the same words", async () => {
    await (openPage().push as unknown as Push).subscribe({ wording: WORDS, worker: "/sw.js" });
    browser.subscription = null;
    openPage("/later");
    await pass();
    expect(server.accepted[1]?.traits).toMatchObject({
      push: { endpoint: "https://web.push.apple.com/2" },
      consent: { push: { wording: WORDS } },
    });
    expect(browser.registered).toEqual(["/sw.js", "/sw.js"]);
  });

  test("one made under another key is replaced", async () => {
    await (openPage().push as unknown as Push).subscribe({ wording: WORDS });
    giveKey(200, KEY.replace("BA1", "BB1"));
    openPage("/later");
    await pass();
    expect(browser.made).toBe(2);
  });

  test("a permission that was taken away ends it quietly", async () => {
    await (openPage().push as unknown as Push).subscribe({ wording: WORDS });
    await pass();
    browser.permission = "denied";
    vi.setSystemTime(Date.now() + 8 * 86_400_000);
    openPage("/later");
    await pass();
    expect(server.accepted).toHaveLength(1);
  });

  test("unsubscribing says no and forgets", async () => {
    const push = openPage().push as unknown as Push;
    await push.subscribe({ wording: WORDS });
    expect(await push.unsubscribe()).toBe(true);
    await pass();
    expect(server.accepted.at(-1)?.traits).toMatchObject({ consent: { push: { granted: false } } });
    openPage("/later");
    await pass();
    expect(browser.made).toBe(1);
  });

  test("a shop without a key, or a browser without push, throws nothing", async () => {
    giveKey(404);
    vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(await (openPage().push as unknown as Push).subscribe()).toBe(false);
    Reflect.deleteProperty(navigator, "serviceWorker");
    expect(await (openPage().push as unknown as Push).subscribe()).toBe(false);
    expect(await (openPage().push as unknown as Push).unsubscribe()).toBe(false);
  });

  test("after doNotSend nothing is asked", async () => {
    const page = openPage();
    page.doNotSend?.(true);
    expect(await (page.push as unknown as Push).subscribe({ wording: WORDS })).toBeFalsy();
    expect(browser.asked).toBe(0);
  });
});

describe("the worker", () => {
  type Handler = (event: object) => void;
  const handlers: Record<string, Handler> = {};
  const shown: [string, { data: unknown; actions: unknown; tag?: string }][] = [];
  const opened: string[] = [];

  beforeEach(async () => {
    shown.length = opened.length = 0;
    vi.resetModules();
    vi.stubGlobal("self", {
      addEventListener: (type: string, handler: Handler) => void (handlers[type] = handler),
      registration: { showNotification: async (title: string, options: never) => void shown.push([title, options]) },
      clients: { openWindow: async (url: string) => void opened.push(url) },
    });
    await import("../src/storefront/push_worker");
  });

  const message = {
    v: 1,
    id: "s1",
    title: "Your cart",
    body: "Two mugs",
    url: "https://r.example/r/t",
    tag: "cart-1",
    actions: [{ title: "Look", url: "https://r.example/c/t/0" }],
  };
  const push = (read: () => unknown): void => handlers.push?.({ data: { json: read }, waitUntil: () => {} });

  test("shows ours and leaves the rest alone", () => {
    push(() => message);
    expect(shown).toHaveLength(1);
    expect(shown[0]?.[0]).toBe("Your cart");
    expect(shown[0]?.[1]).toMatchObject({ tag: "cart-1", actions: [{ action: "1", title: "Look" }] });
    push(() => ({ title: "somebody else's" }));
    push(() => {
      throw new SyntaxError("no JSON");
    });
    handlers.push?.({ data: null, waitUntil: () => {} });
    expect(shown).toHaveLength(1);
  });

  test("a click opens the cart, a button what it is for", () => {
    push(() => message);
    const notification = { data: shown[0]?.[1].data, close: vi.fn() };
    const click = (action: string): void =>
      handlers.notificationclick?.({ action, notification, waitUntil: () => {} });
    click("");
    click("1");
    click("9");
    expect(opened).toEqual(["https://r.example/r/t", "https://r.example/c/t/0", "https://r.example/r/t"]);
    expect(notification.close).toHaveBeenCalledTimes(3);
    handlers.notificationclick?.({ action: "", notification: { data: null, close: vi.fn() }, waitUntil: () => {} });
    expect(opened).toHaveLength(3);
  });
});
