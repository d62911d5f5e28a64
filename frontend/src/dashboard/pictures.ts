/** A product picture that does not load becomes a quiet grey square instead of the browser's broken image. */
const NOTHING =
  "data:image/svg+xml;utf8," +
  encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M7 16l3-4 2 2.5 2-2.5 3 4z" fill="#9aa0a9"/></svg>');

export function startPictures(): void {
  document.addEventListener(
    "error",
    (event) => {
      const picture = event.target;
      if (!(picture instanceof HTMLImageElement) || !picture.hasAttribute("data-picture") || picture.src === NOTHING) return;
      picture.src = NOTHING;
    },
    true,
  );
}
