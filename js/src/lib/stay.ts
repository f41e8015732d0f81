// A long answer scrolls on its own while it comes. The static one that takes the view's place does so,
// too, and where the reader was: what stands below it does not move when a run ends. The notebook keeps
// the whole answer; a page that is loaded anew shows it unfolded, and so does an export.

import { atEnd, clock, div, listen, min, role } from "./dom";
import { keepKeys } from "./keys";

/** How long a page takes at most to put the static answer where the view was, in ms. */
const PATIENCE = 1000;
/** How long an answer must have scrolled to be followed by a reader, in ms. */
const FOLLOWED = 1000;
const SAID = ".l0-said";

/** When the signal aborts, let the static answer that comes instead of `root` have its room. */
export function stay(root: Element, signal: AbortSignal): void {
  const scroll = root.querySelector(":scope > .l0-scroll");
  const area = root.closest(".jp-OutputArea");
  if (!scroll || !area) return;
  const known = new Set(area.querySelectorAll(SAID));
  let top = 0;
  let since = Infinity;
  listen(scroll, "scroll", signal, () => {
    if (!root.isConnected) return;
    since = min(since, clock());
    top = scroll.scrollTop;
    if (scroll.scrollHeight - top - scroll.clientHeight < 32) top = 1e9; // at the end
  });
  atEnd(signal, () => {
    // What came at once is read from its beginning.
    if (clock() - since < FOLLOWED) top = 0;
    const look = () => {
      const said = [...area.querySelectorAll<HTMLElement>(SAID)].find((el) => !known.has(el));
      if (!said) return;
      watcher.disconnect();
      const next = folded(said.parentElement!);
      folded(root).forEach(({ open }, i) => next[i] && (next[i].open = open));
      const box = boxed(said);
      // What comes into sight is laid out then, and may be higher than it was taken for.
      const go = (frames: number) => {
        box.scrollTop = top;
        if (frames) requestAnimationFrame(() => go(frames - 1));
      };
      go(3);
    };
    const watcher = new MutationObserver(look);
    watcher.observe(area, { childList: true, subtree: true });
    setTimeout(() => watcher.disconnect(), PATIENCE);
    look();
  });
}

/** What can be opened beside the answer, in the order in which live and static views have it. */
const folded = (view: Element): HTMLDetailsElement[] =>
  [...view.querySelectorAll<HTMLDetailsElement>("details:not([hidden])")].filter(
    (el) => !el.closest(`.l0-scroll, ${SAID}`),
  );

/** Put an answer into a box that is as high as the live one, and as easily scrolled by keys. */
function boxed(said: HTMLElement): HTMLElement {
  const box = div();
  const { margin } = said.style;
  const view = said.parentElement!;
  Object.assign(box.style, { margin, maxHeight: "max(60vh, 20em)", overflow: "auto" });
  said.style.margin = "0";
  said.before(box);
  box.append(said);
  // What became of data, above its values, stays in sight, as in the live view.
  const head = said.firstElementChild as HTMLElement | null;
  if (head && getComputedStyle(head).display === "flex")
    Object.assign(head.style, { position: "sticky", zIndex: 1, top: 0, background: ground(box) });
  box.tabIndex = 0;
  role(box, "region", "Answer");
  let left = new AbortController();
  box.addEventListener("focusin", () => keepKeys(view, (left = new AbortController()).signal));
  box.addEventListener("focusout", () => left.abort());
  return box;
}

/** The colour that is seen behind an element. */
function ground(el: Element | null): string {
  for (; el; el = el.parentElement) {
    const { backgroundColor } = getComputedStyle(el);
    if (!/^$|transparent|, 0\)$/.test(backgroundColor)) return backgroundColor;
  }
  return "Canvas";
}
