// Nodes are made here and only here: a fixed tag, our own class names, text. Never markup.

export type Kid = Node | string | false | null | undefined;

/** Make an element; every class gets the prefix `l0-`. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  classes = "",
  ...kids: Kid[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  if (classes) el.className = classes.replace(/\S+/g, "l0-$&");
  el.append(...(kids.filter(Boolean) as Node[]));
  return el;
}

export const div = (classes = "", ...kids: Kid[]): HTMLDivElement => h("div", classes, ...kids);

/** Set text, touching the page only when it differs. */
export function say(el: Element, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

/** Set an attribute, touching the page only when it differs. */
export function attr(el: Element, name: string, value: string | number): void {
  if (el.getAttribute(name) !== `${value}`) el.setAttribute(name, value as string);
}

/** What an element is called by who can't see it. */
export const label = (el: Element, text: string): void => attr(el, "aria-label", text);

/** What an element is to who can't see it, and what it is called. */
export function role(el: Element, name: string, text = ""): void {
  attr(el, "role", name);
  if (text) label(el, text);
}

/** Listen until the signal aborts. */
export function listen(
  target: EventTarget,
  names: string,
  signal: AbortSignal,
  run: (event: any) => void,
  capture = false,
): void {
  for (const name of names.split(" ")) target.addEventListener(name, run, { signal, capture });
}

/** Run when the signal aborts; a listener bound to the same signal would be gone by then. */
export const atEnd = (signal: AbortSignal, run: () => void): void =>
  signal.addEventListener("abort", run);

/**
 * Call `draw` once for many requests: with the next frame, or soon where a hidden page has none.
 * After a slow one, the page gets twice as long for itself.
 */
export function frames(draw: () => void): () => void {
  let due = false;
  let rest = 0;
  const run = () => {
    if (!due) return;
    due = false;
    rest = clock();
    draw();
    rest = clock() - rest;
  };
  const go = () => {
    requestAnimationFrame(run);
    setTimeout(run, 300);
  };
  return () => {
    if (due) return;
    due = true;
    if (rest > 12) setTimeout(go, 2 * rest);
    else go();
  };
}

export const { floor, max, min, round } = Math;

/** The page's clock, in ms. */
export const clock = (): number => performance.now();

/** `0.42 s`, `4.2 s`, `2.5 min`: the digits that a person would say. */
export function seconds(ms: number): string {
  const s = ms / 1000;
  return s < 99.95 ? `${s.toFixed(s < 1 ? 2 : 1)} s` : `${(s / 60).toFixed(1)} min`;
}

/** `12,345`. */
export const digits = (n: number): string => n.toLocaleString("en");

/** `1 token`, `2 tokens`, `12,345 tokens`. */
export const count = (n: number, noun: string): string =>
  `${digits(n)} ${noun}${n === 1 ? "" : "s"}`;

/** A hint, with the names in it as code. */
export const ticks = (hint = ""): Kid[] =>
  hint.split("`").map((part, i) => (i % 2 ? h("code", "", part) : part));

/** `rate_limit` is a rate limit to a person. */
export const words = (name = ""): string => name.replace(/_/g, " ");
