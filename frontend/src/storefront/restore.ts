/** Did the shopper come back by a recovery link? Then the shop gets the cart of the link; nobody is logged in. */
import { cleanUrl, RESTORE_PARAMETER } from "./context";

export interface RestoredCart {
  cart_key?: string;
  currency?: string;
  items: Record<string, unknown>[];
}

/** The token of the page's address, removed from the address bar at once. */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.search).get(RESTORE_PARAMETER);
  if (token !== null) history.replaceState(history.state, "", cleanUrl(location.href));
  return token;
}

function announce(name: string, detail: unknown): void {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

/** Fetch the cart and hand it to the page. Fires `rekindle:restore`, or `rekindle:restore-failed` with a status. */
export async function fetchCart(host: string, token: string): Promise<RestoredCart | undefined> {
  let status = 0;
  try {
    const answer = await fetch(`${host}/v1/carts/${encodeURIComponent(token)}`, { credentials: "omit" });
    status = answer.status;
    const cart = answer.ok ? ((await answer.json()) as RestoredCart) : undefined;
    if (Array.isArray(cart?.items)) {
      announce("rekindle:restore", cart);
      return cart;
    }
  } catch {
    // offline or not JSON: told below, the page goes on
  }
  announce("rekindle:restore-failed", { status });
  return;
}
