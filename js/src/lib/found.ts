// The findings of guardrails, underlined where they are in the answer, however it is drawn.
//
// A finding tells its place in the text as the model wrote it. What is drawn of that text is the
// same words in the same order, without the marks of Markdown: so the words on the page are looked
// up in the text, one after the other, and the first one that ends behind the place is underlined.

import type { Told } from "./dress";
import type { GuardrailViolation } from "./events.gen";
import { h } from "./dom";

/** A word on the page: its node and place there, and where it ends in the text. */
type Word = [node: Text, at: number, length: number, ends: number];

/** How far ahead a word is looked for: beyond the longest target of a link. */
const AHEAD = 2200;
/** How far ahead a single character is looked for, beyond an escape or the end of emphasis. */
const NEAR = 4;
/** Behind the label of a link: where it leads. */
const TARGET = /[*_~`]*\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+["'][^"']*["'])?\s*\)/y;

/** What is underlined in an answer, by finding; and where its blocks end in the text. */
interface Seen {
  marks: Map<string, HTMLElement>;
  ends: WeakMap<Node, number>;
}
const seen = new WeakMap<Element, Seen>();

/**
 * Underline what was found in an answer, as far as it is drawn; what is no finding any more is let
 * go. `skip` says which nodes are still being drawn, and left alone; with `open`, so is a
 * word at the end of literal text, which is not drawn anew when it grows.
 */
export function underline(
  answer: Element,
  { content, violations }: Told,
  skip: (node: Node) => boolean,
  open = false,
): void {
  let known = seen.get(answer);
  if (!known) seen.set(answer, (known = { marks: new Map(), ends: new WeakMap() }));
  const { marks, ends } = known;
  const placed = new Map(
    violations
      .filter(({ position }) => position != null && position < content.length)
      .map((v) => [`${v.position} ${v.rule} ${v.message}`, v]),
  );
  for (const [key, mark] of marks) {
    if (mark.isConnected && placed.has(key)) placed.delete(key);
    else {
      marks.delete(key);
      if (![...marks.values()].includes(mark)) mark.replaceWith(...mark.childNodes);
    }
  }
  if (!placed.size) return;

  const wanted = [...placed].map(([key, v]) => [units(content, v.position!), key, v] as const);
  let begins = 0;
  for (const block of answer.childNodes) {
    const last = block === answer.lastChild;
    if (last && skip(block)) return;
    let end = ends.get(block);
    const limit = last ? Infinity : end; // what is last grows
    if (limit === undefined || wanted.some(([at]) => at >= begins && at < limit)) {
      let words = read(block, content, begins);
      end = words.at(-1)?.[3] ?? begins;
      if (!last) ends.set(block, end);
      for (const [at, key, finding] of wanted) {
        if (at < begins || at >= end) continue;
        const word = words.find(([, , , ends]) => ends > at)!;
        const grows = open && word[3] >= content.length && word[0].parentElement!.closest(".l0-part");
        if (grows || skip(word[0])) continue;
        marks.set(key, mark(word, at, finding));
        words = read(block, content, begins); // in other nodes
      }
    }
    begins = end ?? begins;
  }
}

/** A place in code points as one in UTF-16 units. */
function units(content: string, position: number): number {
  let at = 0;
  for (let n = 0; n < position && at < content.length; n++)
    at += content.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

/** The words of a block, looked up in the text from `at` on. */
function read(block: Node, content: string, at: number): Word[] {
  const words: Word[] = [];
  const walk = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  let link: Element | null | undefined;
  for (let node = walk.currentNode; node; node = walk.nextNode()!) {
    if (!(node instanceof Text)) continue;
    const parent = node.parentElement!;
    if (parent.closest(".l0-lang, button")) continue;
    const inside = parent.closest("a");
    if (link && link !== inside) {
      TARGET.lastIndex = at;
      if (TARGET.test(content)) at = TARGET.lastIndex;
    }
    link = inside;
    for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
      const found = content.slice(at, at + AHEAD + word.length).indexOf(word);
      if (found >= 0) {
        at += found + word.length;
        words.push([node, index, word.length, at]);
        continue;
      }
      // Part of it was written otherwise, as with an escape.
      let place = index;
      for (const c of word) {
        const near = content.slice(at, at + NEAR + c.length).indexOf(c);
        if (near >= 0) {
          at += near + c.length;
          words.push([node, place, c.length, at]);
        }
        place += c.length;
      }
    }
  }
  return words;
}

/** Underline a word from a place in the text on; the node stays the end of its text. */
function mark([node, at, length, ends]: Word, from: number, finding: GuardrailViolation): HTMLElement {
  const known = node.parentElement!.closest<HTMLElement>(".l0-found");
  if (known) {
    known.title += `\n${finding.message}`;
    return known;
  }
  const begin = at + Math.max(0, from - (ends - length));
  const { data } = node;
  const word = /^\S{0,40}/.exec(data.slice(begin, at + length))![0];
  const el = h("mark", `found ${finding.severity ?? "error"}`, word);
  el.title = finding.message;
  el.tabIndex = 0;
  node.before(data.slice(0, begin), el);
  node.data = data.slice(begin + word.length);
  return el;
}
