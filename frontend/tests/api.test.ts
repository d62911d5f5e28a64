import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { equip, openPage, pass, type Server, setUpBrowser, storedEvents, tearDownBrowser } from "./storefront_kit";

let server: Server;

beforeEach(() => {
  server = setUpBrowser();
});

afterEach(tearDownBrowser);

describe("events", () => {
  test("carry Segment's fields and what surrounded them", async () => {
    openPage("/products/mug?utm_source=news&utm_campaign=autumn&colour=red").track?.("Product Viewed", { product_id: "p1" });
    await pass();
    const [event] = server.accepted;
    expect(event).toMatchObject({ type: "track", event: "Product Viewed", timestamp: "2026-11-22T10:00:00.000Z" });
    expect(event?.properties).toEqual({ product_id: "p1" });
    expect(event?.messageId).toMatch(/^rk-[0-9a-f-]{36}$/);
    expect(event?.anonymousId).toMatch(/^[0-9a-f-]{36}$/);
    expect(event).not.toHaveProperty("userId");
    expect(event?.context).toMatchObject({
      campaign: { source: "news", name: "autumn" },
      library: { name: "rekindle.js" },
      locale: "en-US",
      gpc: false,
      page: { path: "/products/mug", url: expect.stringContaining("colour=red") },
    });
    expect(event?.context.timezone).toBeTruthy();
  });

  test("of type page, screen, group and alias follow Segment's arguments", async () => {
    const api = openPage();
    api.page?.();
    api.page?.("Shop", "Mugs", { shelf: 3 });
    api.screen?.("Start");
    api.group?.("g1", { plan: "gold" });
    api.identify?.("u1");
    api.alias?.("u2");
    await pass();
    const [plain, page, screen, group, , alias] = server.accepted;
    expect(plain?.properties).toMatchObject({ path: "/products/mug" });
    expect(plain).not.toHaveProperty("name");
    expect(page).toMatchObject({ type: "page", category: "Shop", name: "Mugs", properties: { shelf: 3, name: "Mugs" } });
    expect(screen).toMatchObject({ type: "screen", name: "Start" });
    expect(group).toMatchObject({ groupId: "g1", traits: { plan: "gold" } });
    expect(alias).toMatchObject({ type: "alias", previousId: "u1", userId: "u2" });
  });

  test("keep the visitor over pages until reset", async () => {
    const api = openPage();
    api.identify?.("shop-7", { email: "ada@example.com" });
    openPage("/cart").track?.("next page");
    await pass();
    expect(server.accepted[0]).toMatchObject({ type: "identify", userId: "shop-7", traits: { email: "ada@example.com" } });
    expect(server.accepted[1]).toMatchObject({ userId: "shop-7", anonymousId: server.accepted[0]?.anonymousId });
    api.reset?.();
    api.track?.("stranger");
    await pass();
    expect(server.accepted[2]).not.toHaveProperty("userId");
    expect(server.accepted[2]?.anonymousId).not.toBe(server.accepted[0]?.anonymousId);
  });

  test("traits may stand alone, and no address is stored after delivery", async () => {
    openPage().identify?.({ email: "ada@example.com" });
    await pass();
    expect(server.accepted[0]?.traits).toEqual({ email: "ada@example.com" });
    expect(JSON.stringify({ ...localStorage })).not.toContain("ada@example.com");
  });

  test("called before load wait for it, in order", async () => {
    const api = openPage("/products/mug", null);
    api.track?.("early");
    api.push?.(["track", "pushed"] as never);
    await pass();
    expect(server.requests).toHaveLength(0);
    api.load?.("key-1", { page: true });
    await pass();
    expect(server.names()).toEqual(["page", "early", "pushed"]);
  });

  test("a mistake in a call never reaches the shop's page", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const api = openPage();
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(() => api.track?.("loop", loop)).not.toThrow();
    expect(() => api.push?.(["no such call"] as never)).not.toThrow();
    api.track?.("fine");
    await pass();
    expect(server.names()).toEqual(["fine"]);
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe("the cart", () => {
  const mug = { product_id: "p1", sku: "p1-red", quantity: 1, price: 14.5 };
  const cart = { cart_id: "c1", currency: "EUR", value: 14.5, products: [mug] };

  test("is told whole, once until it changes, also over pages", async () => {
    openPage().cart?.(cart);
    openPage("/cart").cart?.({ ...cart });
    await pass();
    expect(server.names()).toEqual(["Cart Updated"]);
    expect(server.accepted[0]?.properties).toEqual(cart);
    openPage("/cart").cart?.({ ...cart, products: [{ ...mug, quantity: 2 }] });
    openPage("/cart").cart?.({ ...cart, products: [] });
    await pass();
    expect(server.accepted.map((event) => (event.properties?.products as unknown[]).length)).toEqual([1, 1, 0]);
  });

  test("unchanged, is told again after ten minutes", async () => {
    const api = openPage();
    api.cart?.(cart);
    await pass(601_000);
    api.cart?.(cart);
    await pass();
    expect(server.names()).toEqual(["Cart Updated", "Cart Updated"]);
  });

  test("lends its id to events of the cart, until the order", async () => {
    const api = openPage();
    api.cart?.(cart);
    for (const name of ["Product Added", "Product Viewed", "Checkout Started", "Order Completed", "Product Added"]) api.track?.(name);
    api.track?.("Checkout Started", { cart_id: "own" });
    await pass();
    expect(server.accepted.slice(1).map((event) => event.properties?.cart_id)).toEqual(["c1", undefined, "c1", "c1", undefined, "own"]);
  });
});

describe("consent", () => {
  test("goes out with the words that were shown; only true and false count", async () => {
    const api = openPage("/checkout?step=1");
    api.consent?.(
      { email: true, sms: false, push: "yes" },
      { wording: { email: "Yes, write to me", sms: "No texts" }, method: "checkbox" },
    );
    api.consent?.({ email: undefined });
    await pass();
    expect(server.accepted).toHaveLength(1);
    const page = "https://shop.example/checkout";
    expect(server.accepted[0]?.traits).toEqual({
      consent: {
        email: { granted: true, wording: "Yes, write to me", method: "checkbox", page },
        sms: { granted: false, wording: "No texts", method: "checkbox", page },
      },
    });
  });

  test("names the address it was given for, if this page knows it", async () => {
    const api = openPage("/checkout");
    api.identify?.({ email: "ada@example.com", name: "Ada" });
    api.consent?.({ email: true }, { wording: "Yes" });
    api.reset?.();
    api.consent?.({ email: false });
    await pass();
    expect(server.accepted[1]?.traits).toMatchObject({ email: "ada@example.com", consent: { email: { granted: true } } });
    expect(server.accepted[1]?.traits).not.toHaveProperty("name");
    expect(server.accepted[2]?.traits).not.toHaveProperty("email");
  });

  test("doNotSend throws away what waits and stays off on later pages", async () => {
    const api = openPage();
    api.track?.("one");
    api.doNotSend?.(true);
    expect(storedEvents()).toBe(0);
    const later = openPage("/cart", { page: true, anonymousId: "from the shop" });
    later.track?.("two");
    later.identify?.("u1");
    later.cart?.({ cart_id: "c1", products: [] });
    await pass();
    expect(server.requests).toHaveLength(0);
    expect(Object.keys(localStorage)).toEqual(["rk.off"]);
    later.doNotSend?.(false);
    later.track?.("three");
    await pass();
    expect(server.names()).toEqual(["three"]);
    expect(server.accepted[0]?.anonymousId).toBe("from the shop");
  });
});

describe("capture", () => {
  function field(html: string): HTMLInputElement {
    document.body.innerHTML = html;
    return document.querySelector("input") as HTMLInputElement;
  }

  function leave(input: HTMLInputElement, value: string): void {
    input.value = value;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
  }

  test("takes a valid address once, when the field is left", async () => {
    openPage("/checkout", { capture: true });
    const input = field('<input type="email" name="email">');
    input.value = "ada@example.com";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    leave(input, "ada@exa");
    await pass();
    expect(server.requests).toHaveLength(0);
    leave(input, " ada@example.com ");
    await pass();
    expect(server.accepted).toHaveLength(1);
    expect(server.accepted[0]).toMatchObject({ type: "identify", traits: { email: "ada@example.com" }, context: { capture: "typed" } });
  });

  test("takes a phone number", async () => {
    openPage("/checkout", { capture: true });
    const input = field('<input type="tel">');
    leave(input, "12");
    leave(input, "+49 (151) 2345-6789");
    await pass();
    expect(server.accepted.map((event) => event.traits)).toEqual([{ phone: "+49 (151) 2345-6789" }]);
  });

  test.each([
    ["the shop did not switch it on", {}, '<input type="email">'],
    ["the field is marked", { capture: true as const }, '<div data-rekindle-ignore><input type="email"></div>'],
    ["it is a password", { capture: true as const }, '<input type="password" name="email">'],
    ["it is another field", { capture: true as const }, '<input type="text" name="coupon">'],
    ["no consent was given yet", { capture: "consent" as const }, '<input type="email">'],
  ])("takes nothing when %s", async (_reason, options, html) => {
    const api = openPage("/checkout", options);
    const input = field(html);
    api.captureEmail?.(input);
    leave(input, "ada@example.com");
    await pass();
    expect(server.requests).toHaveLength(0);
  });

  test("waits for a yes where the shop asked for it", async () => {
    const api = openPage("/checkout", { capture: "consent" });
    const input = field('<input type="email">');
    api.consent?.({ email: false, track_clicks: true });
    leave(input, "no@example.com");
    api.consent?.({ email: true });
    leave(input, "yes@example.com");
    await pass();
    expect(server.accepted.filter((event) => event.traits?.email).map((event) => event.traits?.email)).toEqual(["yes@example.com"]);
  });

  test("takes nothing under Global Privacy Control, and says so in every event", async () => {
    equip("globalPrivacyControl", true);
    const api = openPage("/checkout", { capture: true });
    leave(field('<input type="email">'), "ada@example.com");
    api.track?.("one");
    await pass();
    expect(server.names()).toEqual(["one"]);
    expect(server.accepted[0]?.context.gpc).toBe(true);
  });
});

describe("restore", () => {
  const found = { cart_key: "c9", currency: "EUR", items: [{ product_id: "p1", quantity: 2 }] };

  test("hands the cart of the link to the page and keeps the token out of sight", async () => {
    server.answers = [{ status: 200, json: found }];
    const heard = vi.fn();
    document.addEventListener("rekindle:restore", (event) => heard((event as CustomEvent).detail), { once: true });
    const onRestore = vi.fn();
    openPage("/?a=1&rekindle_cart=tok%2F1&b=2#top", { onRestore, page: true });
    expect(location.href).toBe("https://shop.example/?a=1&b=2#top");
    await pass();
    expect(server.requests[0]?.url).toBe("https://rekindle.example/v1/carts/tok%2F1");
    expect(heard).toHaveBeenCalledWith(found);
    expect(onRestore).toHaveBeenCalledWith(found);
    expect(server.names()).toEqual(["page", "Cart Restored"]);
    expect(server.accepted[1]?.properties).toEqual({ restored_cart_key: "c9", items: 1 });
    expect(JSON.stringify(server.bodies)).not.toContain("tok");
  });

  test.each([
    ["an expired link", { status: 404 }, 404],
    ["no network", "offline" as const, 0],
    ["an answer of another form", { status: 200, json: { items: "many" } }, 200],
  ])("with %s says so and changes nothing", async (_case, answer, status) => {
    server.answers = [answer];
    const failed = vi.fn();
    document.addEventListener("rekindle:restore-failed", (event) => failed((event as CustomEvent).detail), { once: true });
    const onRestore = vi.fn();
    openPage("/?rekindle_cart=t", { onRestore });
    await pass();
    expect(failed).toHaveBeenCalledWith({ status });
    expect(onRestore).not.toHaveBeenCalled();
    expect(location.search).toBe("");
  });
});
