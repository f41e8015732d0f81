// Keys pressed in a view stay in it: a notebook would take `b` for "insert a cell below".

import { listen } from "./dom";

/** Plain keys stay here. Notebooks that listen in the capture phase look for the attribute. */
export function keepKeys(root: HTMLElement, signal: AbortSignal): void {
  const keep = (event: KeyboardEvent) => {
    const at = event.target as Element;
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    // On what has the focus: some notebooks look no further. Set in the capture phase, when the key
    // has not arrived; stopped when it has been here.
    if (
      root.contains(at) &&
      at.toggleAttribute("data-lm-suppress-shortcuts", plain) &&
      event.eventPhase > 2
    )
      event.stopPropagation();
  };
  listen(window, "keydown", signal, keep, true);
  listen(root, "keydown", signal, keep);
}
