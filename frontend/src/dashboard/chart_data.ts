/** What does the server say a chart is? The JSON inside <figure data-chart><script type="application/json">. */

/** Values are integers in minor units for money, fractions (0.05 = 5 %) for percent, plain numbers for count. */
export type Unit = { kind: "money"; currency: string } | { kind: "percent" } | { kind: "count" };

export interface Series {
  name: string;
  /** One per label; null leaves a gap. */
  values: (number | null)[];
  look?: "area" | "line" | "dashed";
  /** Ends of an interval around the values, drawn as a band. Both or none. */
  low?: (number | null)[];
  high?: (number | null)[];
  /** Bars with the same word stand on each other. */
  stack?: string;
}

export type ChartData = { title: string; unit: Unit; height?: number } & (
  | { kind: "line" | "bar"; labels: string[]; series: Series[] }
  | { kind: "funnel"; steps: { name: string; value: number }[] }
);

export function readChart(figure: Element): ChartData | undefined {
  const text = figure.querySelector('script[type="application/json"]')?.textContent;
  if (!text) return;
  try {
    return JSON.parse(text) as ChartData;
  } catch {
    console.error("a chart's data is not JSON", figure);
    return;
  }
}

export function formatter(unit: Unit, language: string): (value: number | null | undefined) => string {
  const options: Intl.NumberFormatOptions =
    unit.kind === "money"
      ? { style: "currency", currency: unit.currency }
      : unit.kind === "percent"
        ? { style: "percent", maximumFractionDigits: 1 }
        : { maximumFractionDigits: 0 };
  const format = new Intl.NumberFormat(language, options);
  const scale = unit.kind === "money" ? wholeUnit(unit) : 1;
  return (value) => (value === null || value === undefined || Number.isNaN(value) ? "–" : format.format(value / scale));
}

/** Short form for axes: "€1.2K". */
export function shortFormatter(unit: Unit, language: string): (value: number) => string {
  if (unit.kind === "percent") return formatter(unit, language);
  const money = unit.kind === "money";
  const format = new Intl.NumberFormat(language, {
    notation: "compact",
    maximumFractionDigits: 1,
    ...(money ? { style: "currency", currency: unit.currency, minimumFractionDigits: 0 } : {}),
  });
  const scale = wholeUnit(unit);
  return (value) => format.format(value / scale);
}

/** What stands for one euro, one yen or one thing in a chart's values: an axis with finer steps would repeat its labels. */
export function wholeUnit(unit: Unit): number {
  if (unit.kind !== "money") return unit.kind === "count" ? 1 : 0;
  return 10 ** (new Intl.NumberFormat("en", { style: "currency", currency: unit.currency }).resolvedOptions().maximumFractionDigits ?? 2);
}
