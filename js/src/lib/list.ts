// A long list of which only what is in sight is on the page; read by arrow keys.

import { atEnd, attr, floor, frames, h, listen, max, min, role } from "./dom";

export interface List {
  el: HTMLElement;
  /** Draw it anew, with this many rows. */
  draw(count: number): void;
  /** Make a row the active one, and bring it into sight. */
  go(index: number, quiet?: boolean): void;
  readonly active: number;
}

let lists = 0;

/**
 * Rows of `height` pixels. `fill` gives what is in a row; `enter` is called when one is chosen by
 * Enter, Space or a click, `move` when another one becomes active by hand.
 */
export function list(
  height: number,
  fill: (index: number, row: HTMLElement) => Node[],
  { enter, move }: { enter?(index: number): void; move?(index: number): void },
  signal: AbortSignal,
): List {
  const name = `l0-list-${lists++}`;
  const whole = h("div", "all");
  const el = h("div", "list", whole);
  let count = 0;
  let drawn = new Map<number, HTMLElement>();
  el.tabIndex = 0;
  role(whole, "presentation");

  /** How much is in sight, px. */
  const room = () => el.clientHeight || 400;
  const draw = () => {
    // What stays as it was is not touched: a click may be on its way to it, and a browser drops
    // the click whose element is gone when the button comes up.
    const from = max(0, floor(el.scrollTop / height) - 4);
    const to = min(count, from + floor(room() / height) + 9);
    const next = new Map<number, HTMLElement>();
    for (let i = from; i < to; i++) {
      const row = drawn.get(i) ?? h("div");
      row.id = `${name}-${i}`;
      row.className = i === self.active ? "l0-row l0-on" : "l0-row";
      row.style.top = `${i * height}px`;
      row.style.height = `${height}px`;
      role(row, "row");
      attr(row, "aria-rowindex", i + 1);
      attr(row, "aria-selected", `${i === self.active}`);
      const cells = fill(i, row);
      const now = row.childNodes;
      if (cells.length - now.length || cells.some((cell, i) => !cell.isEqualNode(now[i]!)))
        row.replaceChildren(...cells);
      next.set(i, row);
    }
    for (const [i, row] of drawn) if (!next.has(i)) row.remove();
    [...next.values()].forEach((row, at) => row.parentNode || whole.insertBefore(row, whole.children[at]!));
    drawn = next;
    attr(el, "aria-rowcount", count);
    if (next.has(self.active))
      attr(el, "aria-activedescendant", `${name}-${self.active}`);
    else el.removeAttribute("aria-activedescendant");
  };
  const ask = frames(() => signal.aborted || draw());
  const self = {
    el,
    active: -1,
    draw(next: number) {
      count = next;
      self.active = min(self.active, count - 1);
      whole.style.height = `${count * height}px`;
      ask();
    },
    go(index: number, quiet = false) {
      if (!count) return;
      self.active = max(0, min(index, count - 1));
      const top = self.active * height;
      if (top < el.scrollTop) el.scrollTop = top;
      else el.scrollTop = max(el.scrollTop, top + height - room());
      ask();
      if (!quiet) move?.(self.active);
    },
  };

  listen(el, "scroll", signal, ask);
  listen(el, "keydown", signal, (event: KeyboardEvent) => {
    if (event.target !== el || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = max(1, floor(room() / height) - 1);
    const to = {
      ArrowDown: self.active + 1,
      ArrowUp: self.active - 1,
      PageDown: self.active + page,
      PageUp: self.active - page,
      Home: 0,
      End: count - 1,
    }[event.key];
    if (to !== undefined) self.go(to);
    else if (/^(Enter| )$/.test(event.key) && self.active >= 0) enter?.(self.active);
    else return;
    event.preventDefault();
  });
  listen(el, "click", signal, (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>(".l0-row");
    if (!row) return;
    self.go(+row.id.slice(name.length + 1));
    enter?.(self.active);
  });
  const sizes = new ResizeObserver(ask);
  sizes.observe(el);
  atEnd(signal, () => sizes.disconnect());
  return self;
}
