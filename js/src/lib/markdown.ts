// Markdown that grows: closed blocks are drawn once and frozen, only the open end is drawn again.

import { h, max, min, say } from "./dom";
import { HUGE, inline } from "./inline";
import { text } from "./text";
import type { Meta } from "./wire";

/** What a view needs of an answer being drawn, whatever its format. */
export interface Body {
  append(text: string): void;
  /** Only the first `keep` of `content` (UTF-16 units) still stand. */
  cut(content: string, keep: number): void;
  /** Show it; `open` as long as more may come. */
  draw(open: boolean): void;
  /** Take what the kernel tells beside the text. */
  facts?(meta: Meta): void;
}

/** Draw into `el`, which is new unless `old`, what the last call for it returned, is given. */
type Draw = (el: HTMLElement, open: boolean, old?: any) => unknown;

interface Block {
  tag: keyof HTMLElementTagNameMap;
  written: string;
  /** Where it begins, in lines of what was parsed. */
  line: number;
  draw: Draw;
}

interface Drawn extends Block {
  el: HTMLElement;
  growing: boolean;
  inside: unknown;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s{]*)/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t](.*))?$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|(\d{1,9})[.)])(?: +|$)/;
const DASHES = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
/** An unfinished line of markers says nothing yet: `-` may become a list or a rule. */
const MARKERS = /^(?:[\s\-*_+>|`~#:]*(?:\d{1,9}[.)]? *)?|\s*(?:```|~~~).*)$/;

/** A longer list is drawn as several, so that its beginning can be frozen. */
const MANY = 200;

/** Draw Markdown into `root` as it grows. */
export function markdown(root: HTMLElement): Body {
  const frozen: Array<{ el: HTMLElement; begins: number }> = [];
  let drawn: Drawn[] = []; // the blocks of `tail`
  let tail = "";
  let base = 0; // where `tail` begins in the whole text
  let seen = 0; // how much of `tail` has been looked at for freezing

  return {
    append(text) {
      tail += text;
    },
    cut(content, keep) {
      // The block before the one that is cut may have been closed by what falls away.
      const last =
        keep < base ? frozen.findLastIndex(({ begins }) => begins <= keep) : frozen.length;
      const gone = frozen.splice(max(0, last - 1));
      base = last > 1 ? gone[0]!.begins : 0;
      for (const { el } of [...gone, ...drawn]) el.remove();
      drawn = [];
      tail = content.slice(base, keep);
      seen = 0;
    },
    draw(open) {
      // Only whole lines close a block, and all of their blocks but the last are closed for good.
      const whole = tail.lastIndexOf("\n") + 1;
      if (whole > seen) {
        const lines = tail.slice(0, whole).split("\n");
        const blocks = parse(lines);
        drawn = sync(root, drawn, blocks, open);
        let line = 0;
        let skip = 0;
        for (const block of blocks) {
          while (line < block.line) skip += lines[line++]!.length + 1;
          if (block !== blocks.at(-1)) frozen.push({ el: drawn.shift()!.el, begins: base + skip });
        }
        tail = tail.slice(skip);
        base += skip;
        seen = whole - skip;
      }
      drawn = sync(root, drawn, parse(tail.split("\n"), open), open);
    },
  };
}

/** Bring what is drawn in line with `next`; equal blocks are left alone. */
function sync(parent: Element, old: Drawn[], next: Block[], open: boolean): Drawn[] {
  for (const { el } of old.slice(next.length)) el.remove();
  return next.map((block, i) => {
    const last = open && i === next.length - 1;
    const was = old[i];
    const same = was?.tag === block.tag;
    if (same && was.written === block.written && was.growing === last) return was;
    const el = same ? was.el : h(block.tag);
    const inside = block.draw(el, last, same ? (was.inside ?? []) : undefined);
    if (!was) parent.append(el);
    else if (!same) was.el.replaceWith(el);
    return { ...block, el, growing: last, inside };
  });
}

/** Find the blocks. With `open`, a last line that could still become anything is left out. */
function parse(lines: string[], open = false): Block[] {
  if (open ? MARKERS.test(lines.at(-1)!) : !lines.at(-1)) lines.pop();
  const blocks: Block[] = [];
  let i = 0;
  let line = 0;
  const add = (tag: Block["tag"], draw: Draw) =>
    blocks.push({ tag, draw, line, written: lines.slice(line, i).join("\n") });

  while (i < lines.length) {
    const first = lines[i]!;
    let m: RegExpExecArray | null;
    line = i++;
    if (!first.trim()) continue;
    if ((m = FENCE.exec(first))) {
      const close = new RegExp(`^\\s*${m[1]}+\\s*$`);
      const lang = m[2]!;
      while (i < lines.length && !close.test(lines[i]!)) i++;
      add("pre", grow(lines.slice(line + 1, i++).join("\n"), lang));
    } else if ((m = HEADING.exec(first)))
      add(`h${m[1]!.length}` as "h1", flow((m[2] ?? "").trim()));
    else if (RULE.test(first)) add("hr", () => {});
    else if (QUOTE.test(first)) {
      while (i < lines.length && QUOTE.test(lines[i]!)) i++;
      add("blockquote", nest(lines.slice(line, i).map((text) => text.replace(QUOTE, ""))));
    } else if ((m = ITEM.exec(first))) {
      const items: Block[] = [];
      const number = m[3];
      i = list(lines, line, m, items);
      add(number ? "ol" : "ul", (el, open, old = []) => {
        if (number) (el as HTMLOListElement).start = +number;
        return sync(el, old, items, open);
      });
    } else if (table(lines, line, open)) {
      const rows = [row(first, lines[i] ?? "", true)];
      for (i++; i < lines.length && !ends(lines[i]!); i++)
        rows.push(row(lines[i]!, lines[line + 1]!));
      add("table", (el, open, old = []) => sync(el, old, rows, open));
    } else {
      while (i < lines.length && !ends(lines[i]!, true) && !table(lines, i, open)) i++;
      const prose = lines
        .slice(line, i)
        .map((text) => text.trimStart())
        .join("\n")
        .trimEnd();
      if (prose.length > HUGE) add("div", grow(prose));
      else add("p", flow(prose));
    }
  }
  return blocks;
}

/** Text with emphasis and links, drawn anew whenever it differs. */
const flow =
  (text: string): Draw =>
  (el, open) => {
    el.replaceChildren();
    inline(el, text, open);
  };

/** Literal text, which grows in place. */
const grow =
  (source: string, lang = ""): Draw =>
  (el, open, old) => {
    const name = old ? el.firstElementChild! : el.appendChild(h("span", "lang"));
    const inner: Body = old?.inner ?? text(el);
    let known: string = old?.drawn ?? "";
    say(name, lang);
    if (!source.startsWith(known)) inner.cut((known = ""), 0);
    inner.append(source.slice(known.length));
    inner.draw(open);
    return { inner, drawn: source };
  };

/** Lists and quotes inside each other; what is deeper is drawn plain. */
const DEEPEST = 20;
let depth = 0;

/** Blocks inside a block. */
const nest =
  (lines: string[]): Draw =>
  (el, open, old) => {
    if (depth >= DEEPEST) return grow(lines.join("\n"))(el, open, old);
    depth++;
    const inside = sync(el, old ?? [], parse([...lines], open), open);
    depth--;
    return inside;
  };

/** Whether a line ends a table or, with `paragraph`, a paragraph. */
function ends(line: string, paragraph = false): boolean {
  const item = ITEM.exec(line);
  return (
    !line.trim() ||
    [FENCE, HEADING, RULE, QUOTE].some((rule) => rule.test(line)) ||
    (!!item && !(paragraph && (+(item[3] ?? 1) !== 1 || item[0].length === line.length)))
  );
}

/** Collect the items of the list that begins at line `i`; returns the line after it. */
function list(lines: string[], i: number, m: RegExpExecArray | null, items: Block[]): number {
  const kind = m![2]!.slice(-1);
  while (m?.[2]!.endsWith(kind) && !RULE.test(lines[i]!) && items.length < MANY) {
    const line = i++;
    const indent = m[1]!.length;
    const width = min(m[0].length, indent + m[2]!.length + 4);
    const inner = [
      lines[line]!.slice(m[0].length)
        .replace(/^\[ ] /, "☐ ")
        .replace(/^\[x] /i, "☑ "),
    ];
    for (let loose = false; i < lines.length; i++) {
      const text = lines[i]!.replace(/^\s+/, (space) => space.replace(/\t/g, "    "));
      const depth = text.search(/\S/);
      // Two columns are enough to belong to the item: models indent by two under `1.` as well.
      if (depth >= 0 && depth < min(width, indent + 2) && (loose || ends(text))) break;
      loose = depth < 0;
      inner.push(text.slice(min(width, max(0, depth))));
    }
    items.push({ tag: "li", line, written: inner.join("\n"), draw: nest(inner) });
    m = ITEM.exec(lines[i] ?? "");
  }
  return i;
}

/** Whether a table begins at line `i`. */
function table(lines: string[], i: number, open: boolean): boolean {
  const line = lines[i]!;
  const next = lines[i + 1];
  if (!line.includes("|")) return false;
  // At the open end, a line that begins with a bar is believed to be a header.
  if (next === undefined) return open && /^ {0,3}\|/.test(line);
  if (!next.includes("-") || next.length > 2000 || !DASHES.test(next)) return false;
  return cells(line).length === cells(next).length;
}

const cells = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());

/** A row; `dashes`, the line under the header, says how the columns are aligned. */
function row(line: string, dashes: string, head = false): Block {
  return {
    tag: "tr",
    written: head ? line + dashes : line,
    line: 0,
    draw(el, open) {
      el.replaceChildren();
      const texts = cells(line);
      const aligns = cells(dashes);
      texts.forEach((text, i) => {
        const dash = aligns[i] ?? "";
        const align = dash.endsWith(":") ? (dash[0] === ":" ? "mid" : "end") : "";
        const cell = h(head ? "th" : "td", align);
        inline(cell, text.replace(/\\\|/g, "|"), open && i === texts.length - 1);
        el.append(cell);
      });
    },
  };
}
