/** htmx under the dashboard's Content-Security-Policy, which allows no eval and no inline script. */
import htmx from "htmx.org";

htmx.config.allowEval = false; // so hx-on, js: values and trigger filters do not work: write an island instead
// allowScriptTags stays on: off, htmx would drop the JSON of charts too. Inline scripts are stopped by the policy.
htmx.config.includeIndicatorStyles = false; // they are in dashboard.css
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // pages show personal data: none of it goes into the browser's storage
htmx.config.refreshOnHistoryMiss = true;
htmx.config.defaultSwapStyle = "outerHTML";
// A form with mistakes answers 422 with itself; every other error leaves the page as it is.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "422", swap: true },
  { code: "[45]..", swap: false, error: true },
];

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  const detail = (event as CustomEvent<{ headers: Record<string, string>; verb: string }>).detail;
  if (token && detail.verb !== "get") detail.headers["X-CSRFToken"] = token;
});

/** A failed request says so where a screen reader hears it, instead of doing nothing. */
function tell(text: string): void {
  let place = document.getElementById("rk-notice");
  if (!place) {
    place = document.createElement("div");
    place.id = "rk-notice";
    place.className = "rk-notice";
    place.setAttribute("role", "alert");
    document.body.append(place);
  }
  place.textContent = text;
  place.hidden = false;
  setTimeout(() => (place.hidden = true), 8_000);
}

document.addEventListener("htmx:responseError", (event) => {
  const { status } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail.xhr;
  if (status === 401 || status === 403) tell("You are signed out, or this is not allowed. Reload the page to sign in.");
  else tell(`That did not work (error ${status}). Nothing was changed; please try again.`);
});
document.addEventListener("htmx:sendError", () => tell("The server cannot be reached. Please try again."));

export { htmx };
