// Text to the clipboard, also on pages whose address is http, where the browser has none to offer.

import { h } from "./dom";

/** Copy; what was in focus, a button, is in focus again. */
export async function copy(text: string, button: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", "voice");
    area.value = text;
    button.after(area);
    area.focus();
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
}
