import { describe, expect, test } from "vitest";
import { formatter, readChart, shortFormatter, wholeUnit } from "../src/dashboard/chart_data";
import { inWords } from "../src/dashboard/relative_times";

describe("numbers", () => {
  test.each([
    [{ kind: "money", currency: "EUR" } as const, 123456, "€1,234.56"],
    [{ kind: "money", currency: "JPY" } as const, 1200, "¥1,200"],
    [{ kind: "percent" } as const, 0.0512, "5.1%"],
    [{ kind: "count" } as const, 1240, "1,240"],
    [{ kind: "count" } as const, null, "–"],
  ])("%o %s is %s", (unit, value, text) => {
    expect(formatter(unit, "en")(value)).toBe(text);
  });

  test("are short on an axis", () => {
    expect(shortFormatter({ kind: "money", currency: "EUR" }, "en")(1_234_500)).toBe("€12.3K");
    expect(shortFormatter({ kind: "money", currency: "JPY" }, "en")(1_200)).toBe("¥1.2K");
  });

  test("an axis has no steps that its labels cannot tell apart", () => {
    const units = [{ kind: "money", currency: "EUR" }, { kind: "money", currency: "JPY" }, { kind: "count" }, { kind: "percent" }] as const;
    expect(units.map(wholeUnit)).toEqual([100, 1, 1, 0]);
  });
});

describe("relative times", () => {
  test.each([
    [-5, "now"],
    [-59, "59 seconds ago"],
    [-3 * 60, "3 minutes ago"],
    [4 * 3600 + 100, "in 4 hours"],
    [-86_400, "yesterday"],
    [-400 * 86_400, "last year"],
  ])("%d s is %s", (seconds, words) => {
    expect(inWords(seconds, "en")).toBe(words);
  });
});

test("a chart without readable data is left alone", () => {
  document.body.innerHTML = '<figure data-chart><script type="application/json">{"kind":"line"}</script></figure><figure data-chart></figure>';
  const [good, empty] = document.querySelectorAll("figure");
  expect(readChart(good as Element)).toEqual({ kind: "line" });
  expect(readChart(empty as Element)).toBeUndefined();
});
