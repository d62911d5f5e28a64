/** <button data-copy="text"> or <button data-copy-from="#id"> puts text into the clipboard and says so. */
async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byHand(text); // plain http on another machine has no clipboard API
  }
}

function byHand(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

export function startCopying(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy], [data-copy-from]") : null;
    if (!button) return;
    const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
    const text = source instanceof HTMLInputElement ? source.value : (source?.textContent ?? button.dataset.copy ?? "");
    void write(text.trim()).then((done) => {
      button.dataset.copied = done ? "yes" : "no";
      button.setAttribute("aria-live", "polite");
      setTimeout(() => delete button.dataset.copied, 1_600);
    });
  });
}
