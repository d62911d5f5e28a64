/**
 * The storefront script, served as /s/rekindle.js. Two ways in:
 *
 *   <script async src="https://HOST/s/rekindle.js" data-write-key="..." data-capture></script>
 *
 * or an array stub whose entries are calls, `rekindle.push(["track", "Product Viewed", {...}])`, that wait here.
 */
import { createApi, type Options } from "./api";

declare global {
  interface Window {
    rekindle?: unknown;
  }
}

function optionsOf(tag: HTMLElement | null): Options {
  const { host, capture, anonymousId, page } = tag?.dataset ?? {};
  const options: Options = { page: page !== "off" };
  if (host) options.host = host;
  if (capture !== undefined && capture !== "off") options.capture = capture === "consent" ? "consent" : true;
  if (anonymousId) options.anonymousId = anonymousId;
  return options;
}

function start(): void {
  const before = window.rekindle;
  if (before && !Array.isArray(before)) return; // the page has the script twice
  const tag = document.currentScript as HTMLScriptElement | null;
  const api = createApi((tag?.src ?? location.origin).replace(/\/s\/[^/]*$/, ""));
  window.rekindle = api;
  const push = api.push as (entry: unknown[]) => void;
  const entries = ((before ?? []) as unknown[]).filter((entry) => Array.isArray(entry)) as unknown[][];
  entries.filter((entry) => entry[0] === "load").forEach(push);
  const writeKey = tag?.dataset.writeKey;
  if (writeKey) push(["load", writeKey, optionsOf(tag)]);
  entries.filter((entry) => entry[0] !== "load").forEach(push);
}

start();
