/**
 * Builds everything the web side serves into rekindle/web/static/dist, under stable names.
 *
 * The folder is replaced only when every part was built, so a failed build leaves the last good one in place.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "../rekindle/web/static/dist");
const fresh = join(here, "../rekindle/web/static/.dist-building");

function settings(name, options) {
  return {
    root: here,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    base: "./",
    build: { outDir: fresh, emptyOutDir: false, target: "es2022", cssTarget: "chrome123", modulePreload: false, ...options },
  };
}

/** The dashboard: one module, its style sheet, and the charts as a chunk that loads when a page has one. */
function dashboard() {
  return build(
    settings("dashboard", {
      chunkSizeWarningLimit: 800, // ECharts with three chart kinds
      rollupOptions: {
        // htmx holds an eval that its allowEval setting (off, see htmx_setup.ts) and the page's policy keep from running
        onwarn: (warning, tell) => warning.code === "EVAL" && /htmx/.test(warning.message) ? undefined : tell(warning),
        input: { dashboard: join(here, "src/dashboard/main.ts"), public: join(here, "src/styles/public.css") },
        output: {
          entryFileNames: "[name].js",
          chunkFileNames: "[name].js",
          assetFileNames: "[name][extname]",
        },
      },
    }),
  );
}

/** A classic script without imports: it must run before the page paints, or on a shop's page. */
function script(name, entry, target) {
  return build(
    settings(name, {
      target,
      rollupOptions: {
        input: join(here, entry),
        output: { format: "iife", entryFileNames: `${name}.js` },
      },
    }),
  );
}

/** Only the icons named in icons.json, as one sprite of <symbol id="name">. */
async function icons() {
  const names = JSON.parse(await readFile(join(here, "icons.json"), "utf8"));
  const set = JSON.parse(await readFile(join(here, "node_modules/@iconify-json/tabler/icons.json"), "utf8"));
  const unknown = names.filter((name) => !set.icons[name]);
  if (unknown.length) throw new Error(`icons.json names icons that Tabler does not have: ${unknown.join(", ")}`);
  const symbols = names.map((name) => `<symbol id="${name}" viewBox="0 0 24 24">${set.icons[name].body}</symbol>`);
  await writeFile(
    join(fresh, "icons.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg"><!-- Tabler Icons, MIT, Pawel Kuna -->${symbols.join("")}</svg>\n`,
  );
}

const begun = performance.now();
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
await Promise.all([
  icons(),
  dashboard(),
  script("theme", "src/dashboard/theme.ts", "es2020"),
  script("storefront", "src/storefront/main.ts", "es2020"),
  script("push-worker", "src/storefront/push_worker.ts", "es2020"),
]);
await rm(join(fresh, "public.js"), { force: true }); // the empty script of a style-only entry
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);
console.log(`built rekindle/web/static/dist in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
