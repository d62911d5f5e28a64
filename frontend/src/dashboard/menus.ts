/**
 * Menus, collapsed parts and dialogs without a library.
 *
 * <button data-show="#menu">   shows or hides #menu (class "show"); inside .dropdown a click elsewhere or Escape closes it
 * <button data-dialog="#ask">  opens <dialog id="ask">; <button data-close> inside closes it
 * <button data-dismiss>        removes the .alert around it
 */
function setShown(button: Element, target: Element, shown: boolean): void {
  target.classList.toggle("show", shown);
  button.setAttribute("aria-expanded", String(shown));
}

function closeDropdowns(except?: Element | null): void {
  document.querySelectorAll('.dropdown [data-show][aria-expanded="true"]').forEach((button) => {
    const target = document.querySelector(button.getAttribute("data-show") ?? "");
    if (button !== except && target) setShown(button, target, false);
  });
}

function onClick(event: MouseEvent): void {
  if (!(event.target instanceof Element)) return;
  const button = event.target.closest("[data-show], [data-dialog], [data-close], [data-dismiss]");
  if (!event.target.closest(".dropdown-menu")) closeDropdowns(button);
  if (!button) return;
  const show = button.getAttribute("data-show");
  const dialog = button.getAttribute("data-dialog");
  if (show) {
    const target = document.querySelector(show);
    if (target) setShown(button, target, !target.classList.contains("show"));
  } else if (dialog) {
    document.querySelector<HTMLDialogElement>(dialog)?.showModal();
  } else if (button.hasAttribute("data-close")) {
    button.closest("dialog")?.close();
  } else {
    button.closest(".alert")?.remove();
  }
}

export function startMenus(): void {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector<HTMLElement>('.dropdown [data-show][aria-expanded="true"]');
    closeDropdowns();
    open?.focus();
  });
}
