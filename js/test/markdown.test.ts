import { describe, expect, test } from "vitest";
import { markdown } from "../src/lib/markdown";
import { random } from "./fake";

/** What a piece of Markdown looks like when all of it is there, as markup for comparison. */
function whole(text: string, open = false): string {
  const root = document.createElement("div");
  const body = markdown(root);
  body.append(text);
  body.draw(open);
  return root.innerHTML;
}

const html = (text: string) =>
  whole(text)
    .replace(/ target="_blank" rel="noopener noreferrer"/g, "")
    .replace(/<span class="l0-lang"><\/span>/g, "")
    .replace(/<div class="l0-part">([^<]*)<\/div>/g, "$1");

describe("Blocks", () => {
  test.each([
    ["# One\n## Two ##\n###### Six", "<h1>One</h1><h2>Two ##</h2><h6>Six</h6>"],
    ["#tag is text", "<p>#tag is text</p>"],
    ["one\ntwo\n\nthree", "<p>one\ntwo</p><p>three</p>"],
    ["text\n---\nmore", "<p>text</p><hr><p>more</p>"],
    ["- a\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"],
    ["- a\n\n- b\n\ntext", "<ul><li><p>a</p></li><li><p>b</p></li></ul><p>text</p>"],
    [
      "- a\n  - b\n    - c\n- d",
      "<ul><li><p>a</p><ul><li><p>b</p><ul><li><p>c</p></li></ul></li></ul></li><li><p>d</p></li></ul>",
    ],
    [
      "1. a\n  - b\n2. c",
      '<ol start="1"><li><p>a</p><ul><li><p>b</p></li></ul></li><li><p>c</p></li></ol>',
    ],
    ["- a\n\t- b", "<ul><li><p>a</p><ul><li><p>b</p></li></ul></li></ul>"],
    ["7. seven\n8. eight", '<ol start="7"><li><p>seven</p></li><li><p>eight</p></li></ol>'],
    ["1) a", '<ol start="1"><li><p>a</p></li></ol>'],
    ["- a\n* b", "<ul><li><p>a</p></li></ul><ul><li><p>b</p></li></ul>"],
    ["- [ ] to do\n- [x] done", "<ul><li><p>☐ to do</p></li><li><p>☑ done</p></li></ul>"],
    ["- a\nlazy", "<ul><li><p>a\nlazy</p></li></ul>"],
    ["- a\n\n  second\n\n      code-ish", "<ul><li><p>a</p><p>second</p><p>code-ish</p></li></ul>"],
    ["In 2024. It was", "<p>In 2024. It was</p>"],
    ["text\n2. no list", "<p>text\n2. no list</p>"],
    ["text\n1. a list", '<p>text</p><ol start="1"><li><p>a list</p></li></ol>'],
    ["> a\n> b\n\nc", "<blockquote><p>a\nb</p></blockquote><p>c</p>"],
    [
      "> - a\n> - b\n>\n> c",
      "<blockquote><ul><li><p>a</p></li><li><p>b</p></li></ul><p>c</p></blockquote>",
    ],
    ["> > deep", "<blockquote><blockquote><p>deep</p></blockquote></blockquote>"],
    ["```\n<b>&amp;\n\n  x\n```\ny", "<pre>&lt;b&gt;&amp;amp;\n\n  x</pre><p>y</p>"],
    ["```py title=x\na\n```", '<pre><span class="l0-lang">py</span>a</pre>'],
    ["~~~\n```\n~~~", "<pre>```</pre>"],
    ["````\n```\n````", "<pre>```</pre>"],
    ["```\nnever closed\n", "<pre>never closed</pre>"],
    [
      "- a\n  ```\n  x\n    y\n  ```\n- b",
      "<ul><li><p>a</p><pre>x\n  y</pre></li><li><p>b</p></li></ul>",
    ],
    ["***\n- - -\n___", "<hr><hr><hr>"],
    ["a\r\nb\r\n\r\nc", "<p>a\nb</p><p>c</p>"],
    ["", ""],
    ["\n\n  \n", ""],
  ])("%j", (text, expected) => {
    expect(html(text).replace(/\r/g, "")).toBe(expected);
  });

  test("A table has a header, alignment, escaped bars and ends with a blank line.", () => {
    const text = "| a | b | c |\n|:--|--:|:-:|\n| 1 | `2` | x \\| y |\n| 3 |\n\nend";
    expect(html(text)).toBe(
      '<table><tr><th>a</th><th class="l0-end">b</th><th class="l0-mid">c</th></tr>' +
        '<tr><td>1</td><td class="l0-end"><code>2</code></td><td class="l0-mid">x | y</td></tr>' +
        "<tr><td>3</td></tr></table><p>end</p>",
    );
  });

  test("A table may follow a paragraph without a blank line, and a lone bar is text.", () => {
    expect(html("see:\na | b\n--|--\n1 | 2")).toContain("<p>see:</p><table>");
    expect(html("a | b\nc | d")).toBe("<p>a | b\nc | d</p>");
  });
});

describe("Inline", () => {
  test.each([
    [
      "*a* _b_ **c** __d__ ***e*** ~~f~~",
      "<em>a</em> <em>b</em> <strong>c</strong> <strong>d</strong> <em><strong>e</strong></em> <del>f</del>",
    ],
    ["**bold *and* more**", "<strong>bold <em>and</em> more</strong>"],
    ["snake_case_name and 5 * 3 * 2", "snake_case_name and 5 * 3 * 2"],
    ["**open", "**open"],
    ["a*b*c", "a<em>b</em>c"],
    ["`a*b*` ``x ` y``", "<code>a*b*</code> <code>x ` y</code>"],
    ["`open", "`open"],
    ["\\*not\\* \\_em\\_ \\q", "*not* _em_ \\q"],
    ["a  \nb\\\nc\nd", "a<br>b<br>c\nd"],
    ['[t](https://e.org/a_b "x")', '<a href="https://e.org/a_b">t</a>'],
    ["[**t**](https://e.org/x(1))", '<a href="https://e.org/x(1)"><strong>t</strong></a>'],
    ["![alt](https://e.org/i.png)", '<a href="https://e.org/i.png">alt</a>'],
    ["![](https://e.org/i.png)", '<a href="https://e.org/i.png">https://e.org/i.png</a>'],
    ["[m](mailto:a@e.org)", '<a href="mailto:a@e.org">m</a>'],
    [
      "see https://e.org/a_b_c. End",
      'see <a href="https://e.org/a_b_c">https://e.org/a_b_c</a>. End',
    ],
    ["(https://e.org)", '(<a href="https://e.org/">https://e.org</a>)'],
    ["[a](relative) [b](#x) [c]", "[a](relative) [b](#x) [c]"],
    ["[1] and [2]", "[1] and [2]"],
    ["cost $5 and $6", "cost $5 and $6"],
    ["$x^*$ and $y^*$", "$x^*$ and $y^*$"],
    ["\\(a*b*c\\) \\[d_1\\]", "\\(a*b*c\\) \\[d_1\\]"],
    ["$$a*b*c$$", "$$a*b*c$$"],
    ["&lt;b&gt; <b>x</b>", "&amp;lt;b&amp;gt; &lt;b&gt;x&lt;/b&gt;"],
    ["日本**語**です", "日本<strong>語</strong>です"],
  ])("%j", (text, expected) => {
    expect(html(text)).toBe(`<p>${expected}</p>`);
  });
});

// What models write, and what is awkward to cut in two.
const CORPUS = [
  "## Plan\n\nThe **first** step, then *the second* one, see [docs](https://e.org/a) and `code`.\n\n- one\n- two\n  - three\n\n> quote\n> more\n\ndone",
  "Intro:\n\n| a | b |\n|---|--:|\n| 1 | **2** |\n| 3 | `4` |\n\nAfter | the table\n--- | ---\nx | y\n",
  '```python\ndef f(a: int) -> str:\n    return "`" * a\n\n```\nText\n````md\n```\ninner\n```\n````\n',
  "1. a\n\n   para\n\n   ```\n   x = 1\n   ```\n2. b\n   1. c\n   2. d\n\n- [ ] x\n- [x] y\n---\n***\nend",
  "para\n# head\npara\n- item\npara lazy\n\n  still item\n\nout ***both*** ~~gone~~ __x_y__ \\* \\\n  br",
  "a | b\nc | d\n-|-\n1|2\n> q | r\n> -|-\n> 1|2\n\n* x\n\n  * y\n\n\n* z\n+ other\n10. ten\n11. eleven",
  "$$\na_1 * b_2\n$$\n\\(x\\) $y$ 🎉 👨‍👩‍👧 e\u0301 \ud83d alone\n\nhttps://e.org/x_y_z) tail\n![i](https://e.org/i.png) [no](javascript:x)",
  "-\n- \n1.\n#\n>\n|\n``\n```\n~~~\n---\n***\n=== \n    indented\n\ttab\n",
];

/** Random text of the characters that mean something. */
function noise(seed: number, length: number): string {
  const next = random(seed);
  const bits = [
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "# ",
    "> ",
    "```",
    "`",
    "*",
    "**",
    "_",
    "~~",
    "|",
    "|--|",
    "a",
    "b c",
    "  ",
    "    ",
    "[x](https://e.org)",
    "\\",
    "$",
    "<b>",
    "---",
    "é🎉",
    ":",
    "https://e.org ",
  ];
  return Array.from({ length }, () => bits[Math.floor(next() * bits.length)]).join("");
}

function pieces(text: string, next: () => number): string[] {
  const out: string[] = [];
  for (let i = 0; i < text.length; ) {
    const size = 1 + Math.floor(next() * (next() < 0.5 ? 3 : 40));
    out.push(text.slice(i, i + size));
    i += size;
  }
  return out;
}

describe("Markdown drawn as it grows equals Markdown drawn at once", () => {
  test("for every place where the corpus can be cut in two", () => {
    for (const text of CORPUS) {
      const [shown, ended] = [whole(text, true), whole(text)];
      for (let i = 0; i <= text.length; i++) {
        const root = document.createElement("div");
        const body = markdown(root);
        body.append(text.slice(0, i));
        body.draw(true);
        body.append(text.slice(i));
        body.draw(true);
        expect(root.innerHTML).toBe(shown);
        body.draw(false);
        expect(root.innerHTML).toBe(ended);
      }
    }
  });

  test("character by character, at every step", () => {
    for (const text of CORPUS) {
      const root = document.createElement("div");
      const body = markdown(root);
      for (let i = 0; i < text.length; i++) {
        body.append(text[i]!);
        body.draw(true);
        expect(root.innerHTML).toBe(whole(text.slice(0, i + 1), true));
      }
    }
  });

  test("for random texts in random pieces", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed * 7919);
      const text = noise(seed, 60);
      const root = document.createElement("div");
      const body = markdown(root);
      for (const piece of pieces(text, next)) {
        body.append(piece);
        if (next() < 0.7) body.draw(true);
      }
      body.draw(false);
      expect(root.innerHTML, JSON.stringify(text)).toBe(whole(text));
    }
  });

  test("when it is cut back and goes on differently", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed * 104729);
      const base = seed % 3 ? noise(seed, 40) : CORPUS[seed % CORPUS.length]!;
      const root = document.createElement("div");
      const body = markdown(root);
      let content = "";
      for (let round = 0; round < 3; round++) {
        for (const piece of pieces(round ? noise(seed + round, 20) : base, next)) {
          content += piece;
          body.append(piece);
          if (next() < 0.5) body.draw(true);
        }
        const keep = Math.floor(next() * (content.length + 1));
        body.cut(content, keep);
        content = content.slice(0, keep);
      }
      body.draw(false);
      expect(root.innerHTML, JSON.stringify([seed, content])).toBe(whole(content));
    }
  });
});

describe("At the open end", () => {
  const open = (text: string) => whole(text, true);
  test("what is about to close is drawn as closed.", () => {
    expect(open("some **bold te")).toBe("<p>some <strong>bold te</strong></p>");
    expect(open("some **bold te*")).toBe("<p>some <strong>bold te</strong></p>");
    expect(open("some `cod")).toBe("<p>some <code>cod</code></p>");
    expect(open("see [docs](https://e.o")).toBe("<p>see [docs</p>");
    expect(open("| a | b")).toBe("<table><tr><th>a</th><th>b</th></tr></table>");
  });

  test("a line of markers waits for what it will be.", () => {
    for (const line of ["-", "- ", "#", "##", "---", "1.", "> ", "```", "```py", "|--"])
      expect(open(`text\n${line}`), line).toBe("<p>text</p>");
  });

  test("an opener of long ago is believed no longer.", () => {
    expect(open(`*${"word ".repeat(60)}`)).not.toContain("<em>");
  });
});

test("Closed blocks keep their elements, so that a selection in them stays.", () => {
  const root = document.createElement("div");
  const body = markdown(root);
  body.append("# one\n\npara\n\n- a\n- b\n");
  body.draw(true);
  const [heading, paragraph, list] = root.children;
  const item = list!.firstChild;
  body.append("- c\n\nnext");
  body.draw(true);
  expect([...root.children].slice(0, 3)).toEqual([heading, paragraph, list]);
  expect(root.children[2]!.firstChild).toBe(item);
});

test("A list of thousands is several lists, and the early ones are left alone.", () => {
  const root = document.createElement("div");
  const body = markdown(root);
  body.append(Array.from({ length: 450 }, (_, i) => `${i + 1}. item\n`).join(""));
  body.draw(true);
  expect([...root.children].map((list) => (list as HTMLOListElement).start)).toEqual([1, 201, 401]);
  const seen = new MutationObserver(() => {});
  seen.observe(root.firstElementChild!, { childList: true, subtree: true });
  body.append("451. item\n");
  body.draw(true);
  expect(seen.takeRecords()).toEqual([]);
});

test("A code block that grows keeps its text node.", () => {
  const root = document.createElement("div");
  const body = markdown(root);
  body.append("```js\nlet a\n");
  body.draw(true);
  const node = root.querySelector("pre .l0-part")!.lastChild;
  body.append("let b\n");
  body.draw(true);
  expect(root.querySelector("pre .l0-part")!.lastChild).toBe(node);
  expect(node!.textContent).toBe("let a\nlet b");
});

describe("Time grows with the length only", () => {
  const hostile: Array<[string, string]> = [
    ["asterisks", "*a ".repeat(5000)],
    ["a run of asterisks", "*".repeat(16000) + "x"],
    ["underscores", "_a_".repeat(5000)],
    [
      "backticks of growing length",
      Array.from({ length: 170 }, (_, i) => "`".repeat(i + 1)).join(" "),
    ],
    ["brackets", "[".repeat(16000)],
    ["half links", "[a](".repeat(4000)],
    ["half links with blanks", `[a](${" ".repeat(15000)}x`],
    ["dollars", "$a ".repeat(5000)],
    ["half formulas", "\\(".repeat(8000)],
    ["a heading of blanks", `# ${" ".repeat(50000)}x`],
    ["dashes of blanks", `a|b\n-${" ".repeat(50000)}x`],
    ["nested quotes", ">".repeat(400)],
    ["nested lists", Array.from({ length: 100 }, (_, i) => `${" ".repeat(2 * i)}- x`).join("\n")],
    ["one long word", "x".repeat(300000)],
    ["half URLs", "http://".repeat(2000)],
  ];
  test.each(hostile)("%s", (_, text) => {
    const begin = performance.now();
    whole(text, true);
    expect(performance.now() - begin).toBeLessThan(1500);
  });
});
