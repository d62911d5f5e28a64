/**
 * <time datetime="2026-11-22T14:25:04Z" data-relative>22 Nov 2026, 14:25</time> becomes "3 minutes ago", with the full
 * instant as its title. <meta name="rekindle-now"> carries the server's clock, which a demo may have moved.
 */
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const EVERY_MS = 15_000;

/** Seconds relative to now (negative: past) as words: "in 4 hours", "2 days ago", "now". */
export function inWords(seconds: number, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? format.format(0, "second") : format.format(Math.trunc(seconds), "second");
}

export function startRelativeTimes(): void {
  const server = document.querySelector<HTMLMetaElement>('meta[name="rekindle-now"]')?.content;
  const offset = server ? Date.parse(server) - Date.now() : 0;
  const language = document.documentElement.lang || "en";
  const update = (): void => {
    document.querySelectorAll<HTMLTimeElement>("time[data-relative]").forEach((element) => {
      const instant = Date.parse(element.dateTime);
      if (Number.isNaN(instant)) return;
      element.title ||= new Date(instant).toLocaleString(language, { dateStyle: "full", timeStyle: "long" });
      element.textContent = inWords((instant - Date.now() - offset) / 1000, language);
    });
  };
  update();
  setInterval(update, EVERY_MS);
  document.addEventListener("htmx:afterSwap", update);
}
