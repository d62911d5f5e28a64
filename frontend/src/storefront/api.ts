/** What can a shop tell Rekindle? The calls of `window.rekindle`; none of them ever throws into the shop's page. */
import { watch } from "./capture";
import { cleanUrl, eventContext, freshId, pageFacts, saysDoNotShare } from "./context";
import { type Delivery, startDelivery } from "./delivery";
import { openPush, type PushLine, type PushWish } from "./push";
import { fetchCart, type RestoredCart, takeToken } from "./restore";
import { openStore } from "./store";

export type Facts = Record<string, unknown>;

export interface Options {
  /** Address of Rekindle; by default where the script came from. */
  host?: string;
  /** Send a page event at once. */
  page?: boolean;
  /** Read e-mail and phone fields before the form is sent; "consent": only after a consent() with a yes. */
  capture?: boolean | "consent";
  /** An id the shop's server knows too, so that its own events join this visitor's. */
  anonymousId?: string;
  /** How long to gather events before a batch leaves, in ms. */
  gatherMs?: number;
  onRestore?: (cart: RestoredCart) => void;
}

export interface ConsentDetails {
  /** The words the shopper agreed to, for all channels or one for each. */
  wording?: string | Record<string, string>;
  page?: string;
  method?: string;
  /** Which kept text it was, in which language, and on which form. */
  version?: string;
  language?: string;
  form?: string;
  /** The address itself confirmed; agreed to in writing; the words name cart reminders. Some laws ask for these. The
   * first two are only believed when the shop's server tells them. */
  confirmed?: boolean;
  written?: boolean;
  mentions_cart?: boolean;
}

const NAMES = ["version", "language", "form"] as const;
const MARKS = ["confirmed", "written", "mentions_cart"] as const;

/** Events that belong to a cart get its id when the shop left it out. */
const OF_A_CART = /^(Product (Added|Removed)|(Cart|Checkout|Order|Payment|Coupon) )/;
/** An unchanged cart is not told again before this time, though every page may call cart(). */
const SAME_CART_MS = 600_000;
/** What still works after doNotSend(true). */
const UNDER_OFF = /^(load|doNotSend|anonymousId|reset)$/;

function facts(value: unknown): Facts {
  return value && typeof value === "object" && !Array.isArray(value) ? { ...(value as Facts) } : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

export function createApi(scriptHost: string) {
  const store = openStore();
  let delivery: Delivery | undefined;
  let push: PushLine | undefined;
  let options: Options = {};
  let agreed = false;
  /** Addresses told on this page, so that a consent says whose it is. Never stored. */
  let known: Facts = {};
  let held: unknown[][] = [];

  const isOff = (): boolean => store.get("off") === "1";

  function anonymousId(): string {
    let id = store.get("anon");
    if (!id) {
      id = options.anonymousId ?? freshId();
      if (!isOff()) store.set("anon", id);
    }
    return id;
  }

  function send(type: string, fields: Facts, context?: Facts): void {
    if (isOff()) return; // a restore or a typed address, on a page where it was switched off meanwhile
    const taken = delivery?.push({
      type,
      anonymousId: anonymousId(),
      userId: store.get("user") ?? undefined,
      messageId: `rk-${freshId()}`,
      timestamp: new Date().toISOString(),
      ...fields,
      context: { ...eventContext(), ...context },
    });
    if (taken === false) console.warn(`[rekindle] ${type} event above 32 KB: not sent`);
  }

  /** Segment's page(category, name, properties), each part optional. */
  function named(type: string, args: unknown[]): void {
    const [first, second] = args.filter((arg) => typeof arg === "string");
    const name = second ?? first;
    const properties = facts(args.find((arg) => arg && typeof arg === "object"));
    const page = type === "page" ? pageFacts() : {};
    send(type, { name, category: second === undefined ? undefined : first, properties: { ...page, name, ...properties } });
  }

  const calls = {
    load(writeKey: string, given: Options = {}): void {
      if (delivery || !writeKey) return;
      options = given;
      if (given.anonymousId && !isOff()) store.set("anon", given.anonymousId);
      const host = (given.host ?? scriptHost).replace(/\/+$/, "");
      const token = takeToken();
      delivery = startDelivery(store, { url: `${host}/v1/batch`, writeKey, gatherMs: given.gatherMs ?? 250 });
      addEventListener("pagehide", delivery.leave);
      addEventListener("pageshow", (event) => event.persisted && delivery?.wake());
      addEventListener("online", delivery.wake);
      push = openPush(store, `${host}/s/push/${encodeURIComponent(writeKey)}`, told);
      if (isOff()) delivery.clear();
      else {
        delivery.wake(); // what an earlier page could not deliver
        void push.refresh().catch(warn("push"));
      }
      if (given.capture) {
        watch(document, (found) => (given.capture !== "consent" || agreed) && typed(found));
      }
      if (given.page) calls.page();
      if (token) {
        void fetchCart(host, token).then((cart) => {
          if (!cart) return;
          send("track", { event: "Cart Restored", properties: { restored_cart_key: cart.cart_key, items: cart.items.length } });
          given.onRestore?.(cart);
        });
      }
      const waiting = held;
      held = [];
      waiting.forEach(([name, ...args]) => call(name as string, args));
    },
    track(event: string, properties?: unknown, extra?: { timestamp?: string; context?: Facts }): void {
      const own = facts(properties);
      if (OF_A_CART.test(event)) own.cart_id ??= store.get("cart") ?? undefined;
      const when = extra?.timestamp ? { timestamp: extra.timestamp } : {};
      send("track", { event, properties: own, ...when }, extra?.context);
      if (event === "Order Completed") ["cart", "seen"].forEach(store.remove);
    },
    identify(userId?: unknown, traits?: unknown): void {
      const id = text(userId);
      if (id) store.set("user", id);
      tell(facts(id === undefined && userId ? userId : traits));
    },
    page: (...args: unknown[]): void => named("page", args),
    screen: (...args: unknown[]): void => named("screen", args),
    alias(userId: string, previousId?: string): void {
      const previous = previousId ?? store.get("user") ?? anonymousId();
      store.set("user", userId);
      send("alias", { previousId: previous });
    },
    group: (groupId: string, traits?: unknown): void => send("group", { groupId, traits: facts(traits) }),
    /** The whole cart as it is now: what is not in it is not in the cart. */
    cart(state: unknown): void {
      const properties = facts(state);
      const id = text(properties.cart_id);
      const seen = JSON.stringify(properties);
      const [at = "0", before] = (store.get("seen") ?? "").split(/\|(.*)/s);
      if (id) store.set("cart", id);
      if (before === seen && Date.now() - Number(at) < SAME_CART_MS) return;
      store.set("seen", `${Date.now()}|${seen}`);
      send("track", { event: "Cart Updated", properties });
    },
    /** What the shopper agreed to or refused; only a plain true or false is told. */
    consent(channels: unknown, details: ConsentDetails = {}): void {
      const consent: Facts = {};
      for (const [channel, granted] of Object.entries(facts(channels))) {
        if (typeof granted !== "boolean") continue;
        const wording = typeof details.wording === "object" ? details.wording[channel] : details.wording;
        agreed ||= granted && channel !== "track_clicks"; // that clicks are noted is no leave to be written to
        consent[channel] = {
          granted,
          wording: wording ?? "",
          method: details.method ?? "form",
          page: details.page ?? cleanUrl(location.href).split(/[?#]/)[0],
          ...Object.fromEntries(NAMES.filter((name) => details[name]).map((name) => [name, details[name]])),
          ...Object.fromEntries(MARKS.filter((mark) => details[mark] === true).map((mark) => [mark, true])),
        };
      }
      if (Object.keys(consent).length) send("identify", { traits: { ...known, consent } });
    },
    /** Ask the browser whether it may show messages; after a click in which the shopper agreed to the wording. */
    async subscribePush(wish: PushWish = {}): Promise<boolean> {
      return push?.subscribe(wish).catch(warn("push")) ?? false;
    },
    async unsubscribePush(): Promise<boolean> {
      calls.consent({ push: false });
      return push?.unsubscribe().catch(warn("push")) ?? false;
    },
    /** Watch one more field, e.g. inside a shadow root; does nothing unless the shop switched capture on. */
    captureEmail(field: unknown): void {
      if (field instanceof HTMLInputElement && options.capture) {
        watch(field, (found) => (options.capture !== "consent" || agreed) && typed(found));
      }
    },
    /** Forget who this is (a log-out); what is queued still goes out under the old id. */
    reset(): void {
      known = {};
      ["user", "anon", "cart", "seen"].forEach(store.remove);
    },
    /** The shopper wants no tracking: nothing is stored or sent until doNotSend(false). */
    doNotSend(off: boolean): void {
      if (off) {
        store.set("off", "1");
        delivery?.clear();
        calls.reset();
      } else store.remove("off");
    },
    flush: (): Promise<void> | undefined => delivery?.flush(),
    anonymousId,
  };

  function tell(traits: Facts, context?: Facts): void {
    for (const name of ["email", "phone"]) if (traits[name]) known[name] = traits[name];
    send("identify", { traits }, context);
  }

  /** A subscription, and what was agreed to with it, in one event: neither is worth anything alone. */
  function told(subscription: unknown, wish: PushWish): void {
    const consent = {
      push: {
        granted: true,
        wording: wish.wording ?? "",
        method: wish.method ?? "browser prompt",
        page: wish.page ?? cleanUrl(location.href).split(/[?#]/)[0],
      },
    };
    send("identify", { traits: { push: subscription, consent } });
  }

  const warn = (name: string) => (problem: unknown) => {
    console.warn(`[rekindle] ${name}:`, problem);
    return false;
  };

  const typed = (found: Facts): void => tell(found, { capture: "typed" });

  function call(name: string, args: unknown[]): unknown {
    if (!delivery && name !== "load" && name !== "anonymousId") return void held.push([name, ...args]);
    if (isOff() && !UNDER_OFF.test(name)) return;
    try {
      return (calls as unknown as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args);
    } catch (problem) {
      warn(name)(problem);
      return;
    }
  }

  const api = {
    version: 1,
    push: (entry: unknown[]): unknown => call(String(entry[0]), entry.slice(1)),
    gpc: saysDoNotShare,
  } as Record<string, unknown>;
  for (const name of Object.keys(calls)) api[name] = (...args: unknown[]) => call(name, args);
  Object.assign(api.push as object, { subscribe: api.subscribePush, unsubscribe: api.unsubscribePush });
  return api;
}
