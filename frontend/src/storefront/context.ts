/** What surrounded an event? Page, device, campaign and privacy signal, in Segment's `context` shape. */

export const VERSION = "1.0.0";
export const RESTORE_PARAMETER = "rekindle_cart";
const LONGEST = 1_000;

/** An address without the restore token: whoever holds the token may read the cart. */
export function cleanUrl(address: string): string {
  try {
    const url = new URL(address);
    url.searchParams.delete(RESTORE_PARAMETER);
    return url.href.slice(0, LONGEST);
  } catch {
    return "";
  }
}

export function pageFacts(): Record<string, string> {
  const url = cleanUrl(location.href);
  return {
    path: location.pathname,
    referrer: cleanUrl(document.referrer),
    search: url ? new URL(url).search : "",
    title: document.title.slice(0, LONGEST),
    url,
  };
}

function campaign(): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  new URLSearchParams(location.search).forEach((value, name) => {
    if (name.startsWith("utm_")) found[name === "utm_campaign" ? "name" : name.slice(4)] = value.slice(0, 200);
  });
  return Object.keys(found).length ? found : undefined;
}

function timezone(): string | undefined {
  try {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** The Global Privacy Control signal (w3c/gpc). */
export function saysDoNotShare(): boolean {
  return (navigator as { globalPrivacyControl?: unknown }).globalPrivacyControl === true;
}

export function eventContext(): Record<string, unknown> {
  return {
    page: pageFacts(),
    userAgent: navigator.userAgent,
    locale: navigator.language,
    timezone: timezone(),
    campaign: campaign(),
    library: { name: "rekindle.js", version: VERSION },
    gpc: saysDoNotShare(),
  };
}

export function freshId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  // randomUUID exists on https pages only
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
