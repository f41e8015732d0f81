// Plain text that grows: blocks of about 2 KB, so that the page lays out only what is in sight.

import { div, min } from "./dom";
import type { Body } from "./markdown";

/** From this length on, a block ends with the line. */
const SIZE = 2048;
/** Without a line break for this long, a block ends anyway. */
const LIMIT = 32768;

/** A block: where it begins, how long it is, and its last text node, the one that grows. */
interface Part {
  el: HTMLElement;
  end: Text;
  begins: number;
  length: number;
}

/** Draw plain text into `root` as it grows. */
export function text(root: HTMLElement): Body {
  const parts: Part[] = [];
  let pending = "";

  const flush = () => {
    while (pending) {
      let last = parts.at(-1);
      if (!last || last.length >= (last.end.data.endsWith("\n") ? SIZE : LIMIT)) {
        const end = new Text();
        const begins = last ? last.begins + last.length : 0;
        last = { el: div("part", end), end, begins, length: 0 };
        parts.push(last);
        root.append(last.el);
      }
      const line = pending.indexOf("\n", SIZE - last.length - 1) + 1;
      const piece = pending.slice(0, min(line || LIMIT, LIMIT - last.length));
      last.end.appendData(piece);
      last.length += piece.length;
      pending = pending.slice(piece.length);
    }
  };

  return {
    append(piece) {
      pending += piece;
    },
    cut(_, keep) {
      flush();
      while (parts.length && parts.at(-1)!.begins >= keep) parts.pop()!.el.remove();
      const last = parts.at(-1);
      if (!last) return;
      last.end = new Text(last.el.textContent!.slice(0, keep - last.begins));
      last.length = last.end.length;
      last.el.replaceChildren(last.end);
    },
    draw: flush,
  };
}
