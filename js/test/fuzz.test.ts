// Texts that were never Markdown: drawn without markup of theirs, at any cut the same, in no time.

import { describe, expect, test } from "vitest";
import { markdown } from "../src/lib/markdown";
import { random } from "./fake";

const PIECES = [
  ..."*_~`[]()!$\\><#|-+=&{}:.h ",
  ...["**", "~~", "```", "``", "](", "![", "$$", "\\(", "\\)", "> ", "- ", "1. ", "a|", "-|-\n", "\n"],
  ...["\n\n", "    ", "\t", "a", "_a", "a*", "é", "[a](", "(http://", "http://a.b", "mailto:a", "\r"],
  ...["javascript:x", "<script>", "<!--", "</p>", "\u0000", "\ud83d", "\u2028", "  \n", "```py\n"],
];
/** What opens a block inside itself, and how often it is said: levels cost elements. */
const NESTING = [">", "> ", "- ", "1. "];
const DEEP = 5000;
const TAGS = new Set(
  "A,BLOCKQUOTE,BR,BUTTON,CODE,DEL,DIV,EM,H1,H2,H3,H4,H5,H6,HR,LI,OL,P,PRE,SPAN,STRONG,TABLE,TBODY,TD,TH,THEAD,TR,UL".split(
    ",",
  ),
);

function draw(text: string, cuts: number[] = [], open = false): HTMLElement {
  const root = document.createElement("div");
  const body = markdown(root);
  let from = 0;
  for (const cut of cuts) {
    body.append(text.slice(from, cut));
    body.draw(true);
    from = cut;
  }
  body.append(text.slice(from));
  body.draw(open);
  return root;
}

/** Milliseconds of the fastest of some tries. */
function cost(text: string): number {
  let best = Infinity;
  for (let i = 0; i < 2 && best > 1000; i++) {
    const begun = performance.now();
    draw(text);
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

describe("Any text", () => {
  test("gives elements of the list alone, the same however it was cut", () => {
    const next = random(7);
    for (let n = 0; n < 300; n++) {
      const text = Array.from(
        { length: 1 + Math.floor(next() * 30) },
        () => PIECES[Math.floor(next() * PIECES.length)],
      ).join("");
      const cuts = [0, 0, 0].map(() => Math.floor(next() * text.length)).sort((a, b) => a - b);
      const root = draw(text, cuts);
      expect(root.innerHTML, JSON.stringify(text)).toBe(draw(text).innerHTML);
      for (const el of root.querySelectorAll("*")) {
        expect(TAGS).toContain(el.tagName);
        for (const { name, value } of el.attributes) {
          expect(["class", "href", "rel", "start", "target"]).toContain(name);
          if (name === "href") expect(value).toMatch(/^(https?|mailto):/);
        }
      }
    }
  });

  test.each([
    ...PIECES,
    ...["$ ", "[a](x ", "![\\]", "*a_", "](http://", "\\(    "],
  ])("%j said thousands of times is drawn in proportion to its length", (piece) => {
    const text = piece.repeat(Math.floor(16_000 / piece.length)) + "x";
    expect(cost(text)).toBeLessThan(4000);
  });

  test.each([...NESTING, "* > ", "> 1. "])("%j in itself is drawn, however it came", (piece) => {
    const text = piece.repeat(DEEP) + "deep";
    expect(draw(text, [100, 200]).innerHTML).toBe(draw(text).innerHTML);
    expect(draw(text).textContent).toContain("deep");
  });
});
