/**
 * Which address did the shopper type? Read only where the shop switched it on, only when the field is complete and
 * valid and was left; never key by key, and never for a browser that sends Global Privacy Control.
 */
import { saysDoNotShare } from "./context";

type Found = { email: string } | { phone: string };

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@.]{2,}$/;

function kindOf(field: HTMLInputElement): "email" | "phone" | undefined {
  const hint = `${field.type} ${field.autocomplete} ${field.name}`.toLowerCase();
  if (field.type === "password" || field.closest("[data-rekindle-ignore]")) return;
  if (/email/.test(hint)) return "email";
  return /\btel\b|phone/.test(hint) ? "phone" : undefined;
}

export function typedAddress(field: HTMLInputElement): Found | undefined {
  const kind = kindOf(field);
  const value = field.value.trim();
  if (!kind || !value || !field.validity.valid) return;
  if (kind === "email") return value.length <= 254 && EMAIL.test(value) ? { email: value } : undefined;
  return value.replace(/\D/g, "").length >= 7 && /^[+\d\s().\/-]+$/.test(value) ? { phone: value } : undefined;
}

/** Watch one field, or with `document` each address field of the page; `tell` gets every new value once. */
export function watch(root: Document | HTMLInputElement, tell: (found: Found) => void): void {
  let lastTold = "";
  const look = ({ target }: Event): void => {
    if (!(target instanceof HTMLInputElement) || saysDoNotShare()) return;
    const found = typedAddress(target);
    const text = JSON.stringify(found);
    if (!found || text === lastTold) return;
    lastTold = text;
    tell(found);
  };
  root.addEventListener("change", look);
  root.addEventListener("focusout", look);
}
