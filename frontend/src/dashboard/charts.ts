/** How is a chart drawn? Our own ECharts bundle: line, bar and funnel, as SVG. Loaded as a chunk of its own. */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { type EChartsCoreOption, type EChartsType, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { type ChartData, formatter, type Series, shortFormatter, wholeUnit } from "./chart_data";

use([BarChart, LineChart, GridComponent, LegendComponent, TooltipComponent, SVGRenderer]);

interface Look {
  colours: string[];
  text: string;
  faint: string;
  line: string;
  surface: string;
  font: string;
}

/** The page's colours, resolved to rgb() so that the library can mix them. */
function lookOf(element: HTMLElement): Look {
  const probe = document.createElement("span");
  element.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const look = {
    colours: [1, 2, 3, 4, 5, 6].map((n) => colour(`--rk-chart-${n}`)),
    text: colour("--rk-ink"),
    faint: colour("--rk-ink-soft"),
    line: colour("--rk-line"),
    surface: colour("--rk-surface"),
    font: getComputedStyle(element).fontFamily,
  };
  probe.remove();
  return look;
}

function tooltip(look: Look): object {
  return {
    backgroundColor: look.surface,
    borderColor: look.line,
    textStyle: { color: look.text, fontSize: 12, fontFamily: look.font },
    confine: true,
  };
}

function translucent(colour: string, opacity: number): string {
  const parts = colour.match(/[\d.]+/g)?.slice(0, 3);
  return parts?.length === 3 ? `rgba(${parts.join(",")},${opacity})` : colour;
}

/** Two invisible-edged areas on each other: up to `low`, then from `low` to `high`. */
function band(series: Series, colour: string): object[] {
  const { low, high } = series;
  if (!low || !high) return [];
  const part = { type: "line", stack: `band-${series.name}`, stackStrategy: "all", symbol: "none", silent: true, tooltip: { show: false } };
  const spread = high.map((top, i) => (top === null || low[i] === null || low[i] === undefined ? null : top - low[i]));
  return [
    { ...part, name: "", data: low, lineStyle: { opacity: 0 } },
    { ...part, name: "", data: spread, lineStyle: { opacity: 0 }, areaStyle: { color: translucent(colour, 0.16) } },
  ];
}

function lines(data: ChartData & { kind: "line" | "bar" }, look: Look): object[] {
  return data.series.flatMap((series, i) => {
    const colour = look.colours[i % look.colours.length] ?? look.text;
    const few = data.labels.length <= 2;
    const area = series.look === "area";
    const fade = [
      { offset: 0, color: translucent(colour, 0.28) },
      { offset: 1, color: translucent(colour, 0.02) },
    ];
    return [
      ...band(series, colour),
      {
        type: "line",
        name: series.name,
        data: series.values,
        color: colour,
        smooth: 0.25,
        smoothMonotone: "x",
        showSymbol: few,
        symbolSize: 7,
        lineStyle: { width: 2.5, type: series.look === "dashed" ? [5, 5] : "solid" },
        emphasis: { disabled: true },
        ...(area ? { areaStyle: { color: { type: "linear", x: 0, y: 0, x2: 0, y2: 1, colorStops: fade } } } : {}),
      },
    ];
  });
}

function bars(data: ChartData & { kind: "line" | "bar" }, look: Look): object[] {
  return data.series.map((series, i) => ({
    type: "bar",
    name: series.name,
    data: series.values,
    color: look.colours[i % look.colours.length],
    barMaxWidth: 34,
    itemStyle: { borderRadius: series.stack ? 0 : [4, 4, 0, 0] },
    ...(series.stack ? { stack: series.stack } : {}),
  }));
}

function axes(data: ChartData & { kind: "line" | "bar" }, look: Look, language: string): EChartsCoreOption {
  const label = { color: look.faint, fontFamily: look.font, fontSize: 11, hideOverlap: true };
  const many = data.series.length > 1;
  return {
    grid: { left: 4, right: 12, top: many ? 38 : 14, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: {
      show: many,
      data: data.series.map((series) => series.name),
      top: 0,
      left: 0,
      icon: "roundRect",
      itemWidth: 12,
      itemHeight: 4,
      itemGap: 18,
      textStyle: { color: look.faint, fontFamily: look.font, fontSize: 12 },
    },
    tooltip: { ...tooltip(look), trigger: "axis", axisPointer: { lineStyle: { color: look.line } }, valueFormatter: formatter(data.unit, language) },
    xAxis: {
      type: "category",
      data: data.labels,
      boundaryGap: data.kind === "bar",
      axisLabel: { ...label, margin: 10 },
      axisLine: { lineStyle: { color: look.line } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      splitNumber: 4,
      minInterval: wholeUnit(data.unit),
      axisLabel: { ...label, formatter: shortFormatter(data.unit, language) },
      splitLine: { lineStyle: { color: look.line, type: [3, 4] } },
    },
    series: data.kind === "line" ? lines(data, look) : bars(data, look),
  };
}

/** One bar for each step on a track of the first step's length, with its count and its share of the step before. */
function funnel(data: ChartData & { kind: "funnel" }, look: Look, language: string): EChartsCoreOption {
  const format = formatter(data.unit, language);
  const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const colour = look.colours[0] ?? look.text;
  const values = data.steps.map((step) => step.value);
  const last = Math.max(1, values.length - 1);
  const widest = Math.max(3, ...values.map((value) => format(value).length));
  const axis = { type: "category", inverse: true, axisLine: { show: false }, axisTick: { show: false } };
  const label = { color: look.text, fontFamily: look.font, fontSize: 13 };
  const note = (i: number): string => {
    const before = values[i - 1];
    return before ? share.format((values[i] ?? 0) / before) : "";
  };
  return {
    grid: { left: 0, right: 0, top: 0, bottom: 0, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: { ...tooltip(look), trigger: "item", valueFormatter: format },
    xAxis: { type: "value", show: false, min: 0, max: Math.max(1, ...values) },
    yAxis: [
      { ...axis, data: data.steps.map((step) => step.name), axisLabel: { ...label, margin: 14 } },
      // a second axis carries the numbers, so that they form a column instead of following the ends of the bars
      {
        ...axis,
        position: "right",
        data: values.map(String),
        axisLabel: {
          ...label,
          margin: 10,
          formatter: (_: string, i: number) => `{value|${format(values[i])}}{note|${note(i)}}`,
          rich: {
            value: { color: look.text, fontWeight: 600, fontSize: 13.5, width: widest * 9, align: "right" },
            note: { color: look.faint, fontSize: 12, width: 52, align: "right" },
          },
        },
      },
    ],
    series: {
      type: "bar",
      barWidth: "58%",
      barMinHeight: 3,
      showBackground: true,
      backgroundStyle: { color: translucent(look.line, 0.55), borderRadius: 6 },
      data: values.map((value, i) => ({
        value,
        itemStyle: { color: translucent(colour, 1 - (0.45 * i) / last), borderRadius: 6 },
      })),
      emphasis: { disabled: true },
    },
  };
}

export function draw(canvas: HTMLElement, data: ChartData, language: string): EChartsType {
  const chart = init(canvas, undefined, { renderer: "svg" });
  const paint = (): void => {
    const look = lookOf(canvas);
    const option = data.kind === "funnel" ? funnel(data, look, language) : axes(data, look, language);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    chart.setOption({ ...option, animation: !still, animationDuration: 500 }, true);
  };
  paint();
  const resized = new ResizeObserver(() => {
    if (canvas.isConnected) return chart.resize();
    resized.disconnect(); // swapped away by htmx
    document.removeEventListener("rekindle:theme", paint);
    return chart.dispose();
  });
  resized.observe(canvas);
  document.addEventListener("rekindle:theme", paint);
  return chart;
}
