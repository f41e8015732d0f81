// Emphasis, code, links and breaks of a run of Markdown text: elements and text nodes only.

import { h, max, min } from "./dom";

/** A run of `*`, `_` or `~` that may open or close emphasis. */
interface Run {
  c: string;
  n: number;
  at: number;
  opens: boolean;
  closes: boolean;
  /** Where it stands among the pieces, if it waits for its closer. */
  place?: number;
}
type Piece = Node | Run;

const ESCAPE = /\\([!-/:-@[-`{-~])/y;
const CODE = /(`+)(?!`)([^]*?[^`])\1(?!`)/y;
const MATH = /\$\$[^$]+\$\$|\$(?!\s)[^$\n]*[^\s$]\$(?!\d)|\\[([][^]{1,2000}?\\[)\]]/y;
const LINK =
  /!?\[((?:[^[\]\\]|\\[^]|\[[^[\]]*\]){0,999})\]\(\s{0,9}<?((?:[^\s()<>\\]|\\[^]|\([^\s()]*\))*)>?(?:\s{1,9}(?:"[^"]*"|'[^']*'))?\s{0,9}\)/y;
const BARE = /https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)*_~\]]/iy;
const BREAK = /(?: {2,}|\\)\n/y;
const RUN = /\*+|_+|~~/y;
const PLAIN = /(?:[^\\`$[!h*_~ ]| (?! )|h(?!ttp))+|[^]/y;
/** At the open end: how far back an unclosed opener is believed. */
const TRUST = 160;
/** How many open runs a closer looks back over, so that no text costs more than its length. */
const REACH = 32;
/** Text longer than this is drawn plain. */
export const HUGE = 16384;

/** Draw `text` into `parent`. With `open`, what the next token may close is drawn as if it had. */
export function inline(parent: Element, text: string, open: boolean, links = true): void {
  if (text.length > HUGE) return parent.append(text);
  if (open) {
    // A delimiter or a link target that is still being written is not shown yet.
    let end = text.length;
    while (end && "*_~`".includes(text[end - 1]!) && text[end - 2] !== "\\") end--;
    text = text.slice(0, end).replace(/\]\([^()\s]*$/, "");
  }
  const pieces: Piece[] = [];
  let plain = "";
  let at = 0;
  const flush = () => {
    if (plain) pieces.push(new Text(plain));
    plain = "";
  };
  const take = (rule: RegExp) => {
    rule.lastIndex = at;
    return rule.exec(text);
  };
  while (at < text.length) {
    const c = text[at]!;
    const before = text[at - 1] ?? " ";
    let m: RegExpExecArray | null = null;
    let piece: Piece | string | undefined;
    if (c + before !== "  " && (m = take(BREAK))) piece = h("br");
    else if (c === "$" || c === "\\") {
      if ((m = take(MATH))) piece = m[0];
      else if ((m = take(ESCAPE))) piece = m[1];
    } else if (c === "`") {
      if ((m = take(CODE))) piece = code(m[2]!.replace(/^ ([^]*\S[^]*) $/, "$1"));
      else {
        m = take(/`+/y)!;
        piece = m[0];
        const rest = text.slice(at + piece.length);
        if (open && rest && rest.length < TRUST) {
          piece = code(rest);
          m[0] += rest;
        }
      }
    } else if ((m = take(RUN))) {
      const after = text[at + m[0].length] ?? " ";
      const left = flanks(after, before);
      const right = flanks(before, after);
      piece = {
        c,
        n: m[0].length,
        at,
        opens: left && (c !== "_" || !right || PUNCTUATION.test(before)),
        closes: right && (c !== "_" || !left || PUNCTUATION.test(after)),
      };
    } else if (links) {
      if (c === "h" && !/\w/.test(before) && (m = take(BARE))) piece = link(m[0], m[0]);
      else if ((c === "[" || c === "!") && (m = take(LINK)))
        piece = link(m[2]!.replace(ESCAPE_ALL, "$1"), m[1]!, open);
    }
    // A link to anywhere else is no link: its source stays visible.
    if (!piece) piece = (m = take(PLAIN)!)[0];
    at += m![0].length;
    if (typeof piece === "string") plain += piece;
    else {
      flush();
      pieces.push(piece);
    }
  }
  flush();
  parent.append(...emphasize(pieces, open ? text.length : 0).map(settle));
}

const code = (text: string) => h("code", "", text.replace(/\n/g, " "));
/** A run that found no partner is what it looks like. */
const settle = (piece: Piece): Node | string => ("c" in piece ? piece.c.repeat(piece.n) : piece);

const ESCAPE_ALL = new RegExp(ESCAPE.source, "g");
const PUNCTUATION = /[\p{P}\p{S}]/u;

/** Whether a run next to `inner` and away from `outer` flanks a word on the side of `inner`. */
function flanks(inner: string, outer: string): boolean {
  return (
    !/\s/.test(inner) && (!PUNCTUATION.test(inner) || /\s/.test(outer) || PUNCTUATION.test(outer))
  );
}

/** An anchor for http, https and mailto of some length; anything else gives nothing. */
function link(url: string, label: string, open = false): HTMLElement | undefined {
  let target: URL;
  try {
    target = new URL(url);
  } catch {
    return undefined;
  }
  if (!/^(https?|mailto):$/.test(target.protocol) || url.length > 2000) return undefined;
  const a = h("a");
  a.href = target.href;
  a.target = "_blank";
  a.rel = "noopener noreferrer";
  if (label !== url) inline(a, label, open, false);
  if (!a.textContent) a.append(url);
  return a;
}

/** Pair openers with closers; with `end` > 0, recent openers close at the open end. */
function emphasize(pieces: Piece[], end: number): Piece[] {
  const out: Piece[] = [];
  const openers: Run[] = [];
  const wrap = (which: number, size: number) => {
    const run = openers[which]!;
    const inside = out.splice(run.place! + 1).map(settle);
    openers.length = which + 1;
    out.push(h(run.c === "~" ? "del" : size > 1 ? "strong" : "em", "", ...inside));
    run.n -= size;
    if (!run.n) {
      out.splice(run.place!, 1);
      openers.pop();
    }
  };
  for (const piece of pieces) {
    if (!("c" in piece)) {
      out.push(piece);
      continue;
    }
    for (
      let j = openers.length - 1;
      piece.closes && piece.n && j >= max(0, openers.length - REACH);
      j--
    ) {
      const run = openers[j]!;
      if (run.c !== piece.c) continue;
      const size = min(2, run.n, piece.n);
      wrap(j, size);
      piece.n -= size;
      j = openers.length;
    }
    if (!piece.n) continue;
    piece.place = out.length;
    if (piece.opens) openers.push(piece);
    out.push(piece);
  }
  while (openers.length && end) {
    const top = openers.length - 1;
    const run = openers[top]!;
    if (end - run.at < TRUST && run.place! < out.length - 1) wrap(top, min(2, run.n));
    else openers.pop();
  }
  return out;
}
