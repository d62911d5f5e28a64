/** The dashboard's behaviour: pages are complete HTML from the server; everything here only adds to them. */
import "../styles/dashboard.css";
import { startCharts } from "./chart_island";
import { startCopying } from "./copy";
import { htmx } from "./htmx_setup";
import { startMenus } from "./menus";
import { startPictures } from "./pictures";
import { startRelativeTimes } from "./relative_times";

startMenus();
startCopying();
startPictures();
startRelativeTimes();
// Runs for the whole page first and then for each part that htmx swaps in.
htmx.onLoad((part) => {
  if (part instanceof HTMLElement) startCharts(part);
});
