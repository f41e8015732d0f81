// The words in which one answer differs from another, marked in what is drawn.

import { h } from "./dom";

/** `[from, to)`, counted in characters that are no blanks, as Python counts them. */
export type Spot = [from: number, to: number];

/** Mark the spots in everything below `root`; `title` says what they are. */
export function spots(root: Element, list: Spot[], title: string): void {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walk.nextNode())
    if (!walk.currentNode.parentElement!.closest("button")) texts.push(walk.currentNode as Text);
  let at = 0;
  let i = 0;
  for (const node of texts) {
    let rest = node;
    let inside = false;
    let offset = 0;
    const close = () => {
      const next = rest.splitText(offset);
      if (inside) {
        const el = h("mark", "differs");
        el.title = title;
        rest.replaceWith(el);
        el.append(rest);
      }
      rest = next;
      offset = 0;
    };
    for (const char of node.data) {
      if (/\S/.test(char)) {
        while (i < list.length && list[i]![1] <= at) i++;
        const now = i < list.length && list[i]![0] <= at;
        if (now !== inside) {
          if (offset) close();
          inside = now;
        }
        at++;
      } else if (inside && list[i]![1] <= at) {
        close();
        inside = false;
      }
      offset += char.length;
    }
    if (inside) close();
  }
}
