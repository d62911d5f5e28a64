import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { closePages, equip, openPage, pass, type Server, setUpBrowser, storedEvents, tearDownBrowser } from "./storefront_kit";

let server: Server;

beforeEach(() => {
  server = setUpBrowser();
});

afterEach(tearDownBrowser);

describe("delivery", () => {
  test("events leave together, in order, without a header that would need a preflight request", async () => {
    const api = openPage();
    for (const name of ["one", "two", "three"]) api.track?.(name);
    expect(server.requests).toHaveLength(0);
    await pass();
    expect(server.bodies).toHaveLength(1);
    expect(server.names()).toEqual(["one", "two", "three"]);
    expect(server.bodies[0]).toMatchObject({ url: "https://rekindle.example/v1/batch", writeKey: "key-1" });
    expect(server.bodies[0]?.sentAt).toBe("2026-11-22T10:00:00.250Z");
    expect(server.requests[0]?.init).toMatchObject({
      method: "POST",
      keepalive: true,
      credentials: "omit",
      headers: { "Content-Type": "text/plain" },
    });
    expect(storedEvents()).toBe(0);
  });

  test("what the server did not take goes again with the same messageId, in order, after a growing pause", async () => {
    const chance = vi.spyOn(Math, "random").mockReturnValue(0.999); // pauses are drawn from their upper half
    server.answers = [{ status: 503 }, "offline"];
    const api = openPage();
    api.track?.("one");
    await pass(250);
    api.track?.("two");
    expect(server.accepted).toHaveLength(0);
    expect(storedEvents()).toBe(2);
    await pass(1_000);
    expect(server.requests).toHaveLength(2);
    await pass(900);
    expect(server.requests).toHaveLength(2);
    await pass(1_200);
    expect(server.names()).toEqual(["one", "two"]);
    expect(server.bodies[0]?.batch[0]?.messageId).toBe(server.accepted[0]?.messageId);
    expect(storedEvents()).toBe(0);
    chance.mockRestore();
  });

  test("Retry-After is waited for", async () => {
    server.answers = [{ status: 429, retryAfter: "30" }];
    openPage().track?.("one");
    await pass(29_000);
    expect(server.requests).toHaveLength(1);
    await pass(2_000);
    expect(server.names()).toEqual(["one"]);
  });

  test("events of an earlier page are delivered by the next one", async () => {
    server.answers = ["offline"];
    openPage().track?.("before");
    await pass(260);
    closePages();
    const next = openPage("/cart");
    next.track?.("after");
    await pass();
    expect(server.names()).toEqual(["before", "after"]);
  });

  test("a refused event is dropped alone; its neighbours arrive", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    server.answers = [{ status: 400 }, { status: 200 }, { status: 400 }, { status: 200 }];
    const api = openPage();
    for (const name of ["good", "bad", "fine"]) api.track?.(name);
    await pass(500);
    expect(server.names()).toEqual(["good", "fine"]);
    expect(storedEvents()).toBe(0);
  });

  test("a wrong write key stops this page and keeps the events", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    server.answers = [{ status: 401 }];
    const api = openPage();
    api.track?.("one");
    await pass(120_000);
    api.track?.("two");
    await pass(120_000);
    expect(server.requests).toHaveLength(1);
    expect(storedEvents()).toBe(2);
    expect(warn.mock.calls[0]?.[0]).toContain("check the write key");
  });

  test("a leaving page hands what is not on its way to sendBeacon and repeats it unless confirmed", async () => {
    const beacon = vi.fn((_url: string, _body: string) => true);
    equip("sendBeacon", beacon);
    const api = openPage();
    api.track?.("leaving");
    dispatchEvent(new Event("pagehide"));
    const mine = beacon.mock.calls.map((call) => JSON.parse(call[1])).find((body) => body.batch[0].event === "leaving");
    expect(mine).toMatchObject({ writeKey: "key-1", batch: [{ event: "leaving" }] });
    expect(storedEvents()).toBe(1);
    await pass();
    expect(server.accepted[0]?.messageId).toBe(mine.batch[0].messageId);
  });

  test("a batch stays below what browsers let a leaving page send", async () => {
    const api = openPage();
    for (let i = 0; i < 10; i++) api.track?.(`big ${i}`, { text: "x".repeat(14_000) });
    await pass();
    expect(server.names()).toEqual(Array.from({ length: 10 }, (_, i) => `big ${i}`));
    for (const { init } of server.requests) expect(new Blob([String(init?.body)]).size).toBeLessThan(60_000);
    expect(server.requests.length).toBeGreaterThan(2);
  });

  test("an event above 32 KB is refused with a word and takes nothing along", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const api = openPage();
    api.track?.("huge", { text: "ü".repeat(20_000) });
    api.track?.("small");
    await pass();
    expect(server.names()).toEqual(["small"]);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("32 KB"));
  });

  test("the store is bounded: the oldest events make room", async () => {
    server.answers = Array.from({ length: 50 }, () => "offline" as const);
    const api = openPage();
    for (let i = 0; i < 320; i++) api.track?.(`e${i}`);
    expect(storedEvents()).toBe(300);
    server.answers = [];
    await pass(5_000);
    expect(server.names()[0]).toBe("e20");
    expect(server.names().at(-1)).toBe("e319");
  });

  test("two tabs share the store without losing each other's events", async () => {
    const one = openPage();
    const other = openPage();
    one.track?.("from one");
    other.track?.("from other");
    await pass();
    expect(new Set(server.names())).toEqual(new Set(["from one", "from other"]));
    expect(storedEvents()).toBe(0);
  });

  test("where localStorage is closed, events still arrive", async () => {
    vi.stubGlobal("localStorage", undefined);
    vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    const api = openPage();
    api.track?.("one");
    api.track?.("two");
    await pass();
    expect(server.names()).toEqual(["one", "two"]);
    expect(server.accepted[0]?.anonymousId).toBe(server.accepted[1]?.anonymousId);
  });

  test("a clock that jumps back does not reorder events", async () => {
    const api = openPage();
    api.track?.("first");
    vi.setSystemTime(new Date("2026-11-22T09:00:00Z"));
    api.track?.("second");
    await pass();
    expect(server.names()).toEqual(["first", "second"]);
  });
});
