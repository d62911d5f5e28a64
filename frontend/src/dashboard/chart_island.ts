/** Draws every <figure data-chart>; the chart library loads only on pages that have one in view. */
import { type ChartData, formatter, readChart } from "./chart_data";

const MOST_ROWS = 400;

/** The same numbers as a table, for those who do not see the drawing. */
function table(data: ChartData, language: string): HTMLElement {
  const format = formatter(data.unit, language);
  const hidden = document.createElement("div"); // a table itself would keep its height and make the page longer
  hidden.className = "visually-hidden";
  const element = document.createElement("table");
  hidden.append(element);
  element.createCaption().textContent = data.title;
  const add = (cells: string[]): void => {
    const row = element.insertRow();
    cells.forEach((cell) => (row.insertCell().textContent = cell));
  };
  if (data.kind === "funnel") {
    data.steps.forEach((step) => add([step.name, format(step.value)]));
  } else {
    add(["", ...data.series.map((series) => series.name)]);
    data.labels.slice(0, MOST_ROWS).forEach((label, i) => add([label, ...data.series.map((series) => format(series.values[i]))]));
  }
  return hidden;
}

async function show(figure: HTMLElement): Promise<void> {
  const data = readChart(figure);
  if (!data) return;
  const language = document.documentElement.lang || "en";
  const canvas = document.createElement("div");
  canvas.className = "rk-chart";
  canvas.style.height = `${data.height ?? 260}px`;
  canvas.setAttribute("aria-hidden", "true");
  figure.append(canvas, table(data, language));
  const { draw } = await import("./charts");
  draw(canvas, data, language);
}

export function startCharts(part: HTMLElement): void {
  const figures = [...part.querySelectorAll<HTMLElement>("figure[data-chart]")];
  if (part.matches("figure[data-chart]")) figures.push(part);
  const waiting = figures.filter((figure) => !figure.dataset.drawn);
  if (!waiting.length) return;
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        near.unobserve(entry.target);
        void show(entry.target as HTMLElement);
      }
    },
    { rootMargin: "200px" },
  );
  waiting.forEach((figure) => {
    figure.dataset.drawn = "yes";
    near.observe(figure);
  });
}
