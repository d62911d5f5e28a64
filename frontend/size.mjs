/** Fails when the storefront script grows above its promise: 6 KB gzipped. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 6_000;
const file = new URL("../rekindle/web/static/dist/storefront.js", import.meta.url);
const raw = readFileSync(file);
const size = gzipSync(raw, { level: 9 }).length;
console.log(`storefront.js: ${raw.length} bytes, ${size} gzipped, limit ${LIMIT}`);
if (size >= LIMIT) {
  console.error(`storefront.js is ${size - LIMIT + 1} bytes too large`);
  process.exit(1);
}
