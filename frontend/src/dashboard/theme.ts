/**
 * Light or dark? A blocking script in <head>, so that no page flashes in the wrong colours.
 *
 * <button data-theme-toggle> goes through auto, light and dark; the choice stays in this browser. On every change the
 * document gets the event `rekindle:theme`.
 */
type Choice = "auto" | "light" | "dark";

const KEY = "rekindle.theme";
const ORDER: Choice[] = ["auto", "light", "dark"];
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

function stored(): Choice {
  try {
    const value = localStorage.getItem(KEY) as Choice | null;
    return value && ORDER.includes(value) ? value : "auto";
  } catch {
    return "auto"; // storage is blocked: follow the system
  }
}

let choice = stored();

function apply(): void {
  const dark = choice === "dark" || (choice === "auto" && system.matches);
  root.dataset.bsTheme = dark ? "dark" : "light";
  root.dataset.themeChoice = choice;
  document.dispatchEvent(new CustomEvent("rekindle:theme"));
}

function label(): void {
  document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
    button.setAttribute("aria-label", `Colours: ${choice}. Change`);
    button.setAttribute("title", `Colours: ${choice}`);
  });
}

apply();
system.addEventListener("change", apply);
document.addEventListener("DOMContentLoaded", label);
document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-theme-toggle]")) return;
  choice = ORDER[(ORDER.indexOf(choice) + 1) % ORDER.length] ?? "auto";
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // the choice then lasts for this page
  }
  apply();
  label();
});
