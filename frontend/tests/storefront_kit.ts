/** A server that can be told how to answer, and a fresh storefront script in a fresh page. */
import { vi } from "vitest";
import { createApi, type Facts, type Options } from "../src/storefront/api";

export interface Sent extends Facts {
  type: string;
  event?: string;
  messageId: string;
  anonymousId: string;
  userId?: string;
  properties?: Facts;
  traits?: Facts;
  context: Facts & { page: Record<string, string> };
}

type Answer = { status: number; retryAfter?: string; json?: unknown } | "offline";

export class Server {
  answers: Answer[] = [];
  bodies: { url: string; writeKey: string; sentAt: string; batch: Sent[] }[] = [];
  requests: { url: string; init: RequestInit | undefined }[] = [];
  accepted: Sent[] = [];

  constructor() {
    vi.stubGlobal("fetch", (url: string, init?: RequestInit) => this.#take(url, init));
  }

  async #take(url: string, init?: RequestInit): Promise<Response> {
    this.requests.push({ url, init });
    const answer = this.answers.shift() ?? { status: 200 };
    if (answer === "offline") throw new TypeError("Failed to fetch");
    if (init?.body) {
      const body = JSON.parse(String(init.body)) as Server["bodies"][number];
      this.bodies.push({ ...body, url });
      if (answer.status === 200) this.accepted.push(...body.batch);
    }
    const headers = answer.retryAfter ? { "Retry-After": answer.retryAfter } : {};
    return new Response(JSON.stringify(answer.json ?? {}), { status: answer.status, headers });
  }

  names(): (string | undefined)[] {
    return this.accepted.map((event) => event.event ?? event.type);
  }
}

export type Api = Record<string, (...args: unknown[]) => unknown>;

let page = new AbortController();

/** Each page's listeners end with it, as in a browser. */
function listenWhileOpen(target: EventTarget): void {
  const original = target.addEventListener.bind(target);
  vi.spyOn(target, "addEventListener").mockImplementation((type, listener, options) => {
    const given = typeof options === "object" ? options : {};
    original(type, listener as EventListener, { ...given, signal: page.signal });
  });
}

/** Close all open pages: no listener and no timer of them lives on. */
export function closePages(): void {
  page.abort();
  page = new AbortController();
  vi.clearAllTimers();
}

export function setUpBrowser(now = "2026-11-22T10:00:00Z"): Server {
  vi.useFakeTimers({ now: new Date(now) });
  localStorage.clear();
  document.body.innerHTML = "";
  [window, document].forEach(listenWhileOpen);
  return new Server();
}

export function tearDownBrowser(): void {
  closePages();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  for (const name of ["sendBeacon", "globalPrivacyControl"]) Reflect.deleteProperty(navigator, name);
}

/** Give the browser a feature that jsdom does not have. */
export function equip(name: "sendBeacon" | "globalPrivacyControl", value: unknown): void {
  Object.defineProperty(navigator, name, { value, configurable: true });
}

/** Let everything due within `ms` happen. */
export async function pass(ms = 300): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export function openPage(address = "/products/mug", options: Options | null = {}): Api {
  history.replaceState(null, "", address);
  const api = createApi("https://rekindle.example") as Api;
  if (options) api.load?.("key-1", options);
  return api;
}

export function storedEvents(): number {
  return Object.keys(localStorage).filter((key) => key.startsWith("rk.e.")).length;
}
