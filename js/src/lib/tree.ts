// JSON that grows, as a tree of keys and values: what is drawn stays, the next value joins it.

import { count, h, say } from "./dom";
import type { Body } from "./markdown";

/** As in Python: rows of a tree, and its levels; what is more is in the data. */
const MOST = 1000;
const DEEPEST = 12;

/** Where a value begins in what may be prose: a bracket, and something only JSON has behind it. */
const START = /[{[](?=\s*["'{[\]}\d-])/;
/** A literal or a number, once its end is seen; or a key without quotes. */
const WORD = /^[^\s,:\]}"]+(?=[\s,:\]}])/;
const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };

/** An object or array that is open. */
interface Level {
  /** Its rows. */
  el: HTMLElement;
  /** How many fields or items it has, where that is said. */
  note: HTMLElement;
  array: boolean;
  size: number;
  /** The key that waits for its value. */
  key: string | undefined;
}

export interface Tree extends Body {
  /** The keys that will come, in order: their places are kept. */
  expect(keys: string[]): void;
  /** Draw this value instead. */
  set(value: unknown): void;
}

/** Draw JSON text into `root` as it grows. */
export function tree(root: HTMLElement): Tree {
  let pending = "";
  let begun = false;
  let levels: Level[] = [];
  let quote = ""; // of the string that is open
  let word: string | undefined; // the key that is open
  let leaf: Text; // the text that is open
  let now: Element | undefined; // the row that grows
  let rows = 0;
  let keys: string[] = [];
  const places = new Map<string, HTMLElement>();

  const reset = () => {
    pending = quote = "";
    begun = false;
    levels = [];
    word = now = undefined;
    rows = 0;
    places.clear();
    const kept = keys.map((key) => {
      const place = row(key);
      place.className = "l0-field l0-todo";
      places.set(key, place);
      return place;
    });
    root.replaceChildren(...kept);
  };

  const row = (key: string) => h("li", "field", h("span", "key", key), h("span", "value"));

  /** The row of the next value; beyond the limits, one that is not on the page. */
  const next = (level: Level, key: string): Element => {
    const known = levels.length === 1 && places.get(key);
    const made = known || row(key);
    if (known) {
      places.delete(key);
      known.className = "l0-field";
    } else if (rows < MOST && levels.length <= DEEPEST) level.el.append(made);
    else if (rows === MOST) root.append(h("li", "hint", "… and more, in data"));
    rows++;
    return made;
  };

  /** The element for the next value, which is a text or number unless `inner`. */
  const place = (inner: boolean): HTMLElement => {
    const level = levels.at(-1);
    if (!level) return root;
    const { array, el } = level;
    const key = level.key ?? `${level.size}`;
    level.key = undefined;
    if (array && !inner) {
      // Texts and numbers of an array stand side by side, where the array's own value is.
      const chip = h("span", "chip");
      if (levels.length === 1) el.append(level.note);
      const last = levels.length > 1 && el.childElementCount ? el : level.note;
      if (level.size < MOST) last.append(chip);
      else if (level.size === MOST) last.append(h("span", "hint", "… and more"));
      now = level.note.parentElement ?? now;
      level.size++;
      return chip;
    }
    level.size++;
    const made = next(level, key);
    if (level.note.className === "l0-value" && !level.note.querySelector(".l0-chip"))
      level.note.className = "l0-value l0-count";
    if (/count/.test(level.note.className))
      say(level.note, count(level.size, array ? "item" : "field"));
    now = made;
    return made.lastElementChild as HTMLElement;
  };

  const open = (array: boolean) => {
    const at = place(true);
    const el = at === root ? root : h("ul", "nest");
    if (at === root) {
      if (array) for (const kept of places.values()) kept.remove();
    } else at.after(el);
    const note = at === root ? h("li", "value chips") : at;
    levels.push({ el, note, array, size: 0, key: undefined });
  };

  const close = () => {
    const level = levels.pop();
    if (level && !level.size && levels.length) level.note.append(h("span", "null", "none"));
  };

  const scalar = (text: string) => {
    const kind = /^(null|None)$/.test(text) ? "null" : /^[-\d]/.test(text) ? "number" : "";
    place(false).append(h("span", kind, text));
  };

  /** Read what can be read; what is cut in two waits for the rest. */
  const read = () => {
    if (!begun) {
      const found = START.exec(pending);
      if (!found) return;
      begun = true;
      pending = pending.slice(found.index);
    }
    let at = 0;
    const { length } = pending;
    while (at < length && (levels.length || !at)) {
      const c = pending[at]!;
      if (quote) {
        if (c === "\\") {
          const code = pending[at + 1] === "u" ? 6 : 2;
          if (at + code > length) break;
          const e = pending[at + 1]!;
          const hex = pending.slice(at + 2, at + 6);
          put(code === 6 ? String.fromCharCode(parseInt(hex, 16)) : (ESCAPES[e] ?? e));
          at += code;
        } else if (c === quote) {
          quote = "";
          if (word !== undefined) levels.at(-1)!.key = word;
          word = undefined;
          at++;
        } else {
          let end = at + 1;
          while (end < length && pending[end] !== quote && pending[end] !== "\\") end++;
          put(pending.slice(at, end));
          at = end;
        }
      } else if (c === "{" || c === "[") {
        open(c === "[");
        at++;
      } else if (c === "}" || c === "]") {
        close();
        at++;
        if (!levels.length) break;
      } else if (c === '"' || c === "'") {
        quote = c;
        const { array, key } = levels.at(-1)!;
        if (!array && key === undefined) word = "";
        else place(false).append((leaf = new Text()));
        at++;
      } else if (/[\s,:]/.test(c)) at++;
      else {
        const found = WORD.exec(pending.slice(at, at + 400));
        if (!found && length - at < 400) break;
        const text = found?.[0] ?? c;
        const level = levels.at(-1)!;
        if (level.array || level.key !== undefined) scalar(text);
        else level.key = text;
        at += text.length;
      }
    }
    pending = levels.length ? pending.slice(at) : "";
  };

  const put = (text: string) => {
    if (word !== undefined) word += text;
    else leaf.appendData(text);
  };

  const draw = (more: boolean) => {
    const before = now;
    if (pending && !(begun && !levels.length)) read();
    before?.classList.remove("l0-now");
    if (more && levels.length) now?.classList.add("l0-now");
  };

  return {
    append(text) {
      pending += text;
    },
    cut(content, keep) {
      reset();
      pending = content.slice(0, keep);
    },
    draw,
    expect(next) {
      if (`${keys}` === `${next}`) return;
      keys = next;
      if (!begun) {
        const text = pending;
        reset();
        pending = text;
      }
    },
    set(value) {
      keys = [];
      reset();
      pending = JSON.stringify(value) ?? "";
      draw(false);
    },
  };
}
