import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
// @ts-expect-error the build has no types; it must behave like the source
import built from "../../src/l0/notebook/static/extras.js";
import source from "../src/extras";
import type { GuardrailViolation } from "../src/lib/events.gen";
import { markdown } from "../src/lib/markdown";
import type { Spot } from "../src/lib/spots";
import { text } from "../src/lib/text";
import { FakeModel } from "./fake";
import corpus from "./xss.json";

const MODULES = [
  ["source", source],
  ["build", built as typeof source],
] as const;

class Sheet {
  css = "";
  replaceSync(css: string): void {
    this.css = css;
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame"] });
  vi.stubGlobal("CSSStyleSheet", Sheet);
  (document as any).adoptedStyleSheets = [];
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

/** What the observer saw is seen to, and then the next frame. */
async function settle(): Promise<void> {
  await Promise.resolve();
  for (let i = 0; i < 40; i++) {
    vi.advanceTimersByTime(17);
    await Promise.resolve();
  }
}

const finding = (position: number, message = "because", severity: "error" | "warning" = "error") =>
  ({ rule: "r", message, position, severity }) as GuardrailViolation;

function open(
  extras: typeof source,
  meta: Record<string, unknown> = {},
  format: "markdown" | "text" | "raw" = "markdown",
) {
  const control = new AbortController();
  const root = document.createElement("section");
  root.dataset.status = "streaming";
  const head = root.appendChild(document.createElement("header"));
  head.className = "l0-head";
  const stop = head.appendChild(document.createElement("button"));
  stop.textContent = "stop";
  const answer = root.appendChild(document.createElement("div"));
  answer.className = `l0-answer l0-${format}`;
  document.body.append(root);
  const body = (format === "markdown" ? markdown : text)(answer);
  const model = new FakeModel({ meta });
  let told = "";
  const violations: GuardrailViolation[] = [];
  const places: Spot[] = [];
  const list = root.appendChild(document.createElement("ul"));
  extras(
    root,
    model,
    ".x{}",
    (el) => (el === answer ? { content: told || "the *answer*", violations, places } : undefined),
    control.signal,
  );
  const say = async (text: string, more = true) => {
    told += text;
    body.append(text);
    body.draw(more);
    if (!more) root.dataset.status = "complete";
    await settle();
  };
  const find = async (...found: GuardrailViolation[]) => {
    violations.push(...found);
    list.append(document.createElement("li"));
    await settle();
  };
  const marks = () =>
    [...answer.querySelectorAll<HTMLElement>("mark")].map((el) => [el.textContent, el.title]);
  const cut = async (keep: number) => {
    body.cut(told, keep);
    told = told.slice(0, keep);
    body.draw(true);
    await settle();
  };
  const spans = () =>
    [...answer.querySelectorAll("pre span[class^=l0-t]")].map(
      (el) => `${el.className.slice(4)}:${el.textContent}`,
    );
  /** The code that is shown. */
  const code = () => [...answer.querySelectorAll("pre .l0-part")].map((el) => el.textContent).join("");
  const end = () => control.abort();
  return { root, stop, answer, model, say, cut, spans, code, find, marks, violations, places, end };
}

describe.each(MODULES)("In the %s", (_, extras) => {
  test("words that differ from another answer are marked, once, also when they are drawn anew.", async () => {
    const { root, answer, places, say, code } = open(extras);
    const text = "the red fox\n\n```python\nx = 1\n```\n\nruns";
    await say(text, false);
    const words = () => [...answer.querySelectorAll(".l0-differs")].map((el) => el.textContent);
    expect(words()).toEqual([]);
    places.push([3, 6], [18, 22]);
    root.dataset.badge = "similar";
    for (const status of ["complete", "complete", "aborted"]) {
      root.dataset.status = status;
      await settle();
      expect(words()).toEqual(["red", "runs"]);
    }
    expect(code()).toBe("x = 1");
    answer.replaceChildren();
    const again = markdown(answer);
    again.append(text);
    again.draw(false);
    await settle();
    expect(words()).toEqual(["red", "runs"]);
    expect(answer.querySelector("mark")!.title).toBe("differs from the answer that stands");
  });

  test("code gets colours as it comes, character by character.", async () => {
    const { say, spans, code } = open(extras);
    const text = 'def f(x):\n    """Say\n    it."""\n    return "a" # b\n';
    for (const character of "Hi\n\n```python\n" + text) await say(character);
    expect(code() + "\n").toBe(text);
    expect(spans()).toEqual([
      "k:def",
      "f:f",
      's:"""Say',
      's:    it."""',
      "k:return",
      's:"a"',
      "c:# b",
    ]);
    await say("```\n\nafter", false);
    expect(code() + "\n").toBe(text);
  });

  test("what was there before is coloured too, and a line that has no end.", async () => {
    const { root, answer, end } = open(extras);
    end();
    const body = markdown(answer);
    body.append("```js\nlet x = 1");
    body.draw(false);
    const again = new AbortController();
    extras(root, new FakeModel({ meta: {} }), "", () => undefined, again.signal);
    expect([...answer.querySelectorAll(".l0-tk, .l0-tn")].map((el) => el.textContent)).toEqual([
      "let",
      "1",
    ]);
    again.abort();
  });

  test("code that is withdrawn and comes otherwise is coloured anew.", async () => {
    const { say, cut, spans, code } = open(extras);
    await say('```python\na = """x\nb = 1\n');
    expect(spans()).toEqual(["o:=", 's:"""x', "s:b = 1"]);
    await cut("```python\na = ".length);
    await say("2\nb = 3\n");
    expect(spans()).toEqual(["o:=", "n:2", "o:=", "n:3"]);
    expect(code()).toBe("a = 2\nb = 3");
  });

  test("an unknown language stays plain, and can be copied.", async () => {
    const { say, spans, answer } = open(extras);
    await say("```brainfuck\n+++ def\n```\n\nx");
    expect(spans()).toEqual([]);
    expect(answer.querySelectorAll("pre > .l0-copy")).toHaveLength(1);
  });

  test("a long block is coloured in steps, each character once.", async () => {
    const { say, spans, code } = open(extras);
    const text = "x = 1  # a comment\n".repeat(1500);
    const made = vi.spyOn(document, "createElement");
    await say("```python\n" + text);
    expect(code() + "\n").toBe(text);
    expect(spans()).toHaveLength(3 * 1500);
    const before = made.mock.calls.length;
    await say("y = 2\n");
    expect(made.mock.calls.length - before).toBeLessThan(20);
    expect(spans()).toHaveLength(3 * 1500 + 2);
    made.mockRestore();
  });

  test("past its limit a block goes on plain.", async () => {
    const { say, spans, code } = open(extras);
    const text = `1 ${"a".repeat(997)}\n`.repeat(300);
    await say("```python\n" + text);
    expect(code() + "\n").toBe(text);
    expect(spans().length).toBeGreaterThanOrEqual(200);
    expect(spans().length).toBeLessThan(240);
  });

  test("a block in a list and one in a quote are found.", async () => {
    const { say, spans } = open(extras);
    await say("- a\n\n  ```js\n  let x\n  ```\n\n> ```sql\n> select\n> ```\n\nend", false);
    expect(spans()).toEqual(["k:let", "k:select"]);
  });

  test("a button copies the code as it was written.", async () => {
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const { say, answer, root } = open(extras);
    await say("```python\nif a:\n\treturn '<b>'\n```\n\nx");
    const button = answer.querySelector<HTMLButtonElement>(".l0-copy")!;
    button.click();
    await settle();
    expect(writeText).toHaveBeenCalledExactlyOnceWith("if a:\n\treturn '<b>'");
    expect([button.textContent, root.querySelector("[role=status]")!.textContent]).toEqual([
      "Copied",
      "Copied",
    ]);
    vi.advanceTimersByTime(2000);
    expect(button.textContent).toBe("Copy");
  });

  test("without a clipboard, as on http pages, the page's own command copies.", async () => {
    vi.stubGlobal("navigator", {});
    let copied = "";
    (document as any).execCommand = (name: string) => {
      const area = document.activeElement as HTMLTextAreaElement;
      copied = `${name}:${area.value.slice(area.selectionStart, area.selectionEnd)}`;
      return true;
    };
    const { root, stop } = open(extras);
    stop.textContent = "copy";
    stop.focus();
    stop.click();
    await settle();
    expect(copied).toBe("copy:the *answer*");
    expect(stop.textContent).toBe("copied");
    expect(document.activeElement).toBe(stop);
    expect(root.querySelector("textarea")).toBeNull();
    vi.advanceTimersByTime(2000);
    expect(stop.textContent).toBe("copy");
    delete (document as any).execCommand;
  });

  test("a button that stops is left alone.", async () => {
    const { stop } = open(extras);
    const heard = vi.fn();
    stop.addEventListener("click", heard);
    stop.click();
    expect(heard).toHaveBeenCalledOnce();
  });

  test("a run that costs nothing may be run again.", async () => {
    const { root, model } = open(extras);
    const button = root.querySelector<HTMLButtonElement>(".l0-again")!;
    expect(button.hidden).toBe(true);
    model.update({ meta: { can_again: true } });
    expect(button.hidden).toBe(false);
    button.click();
    expect([model.sent, button.disabled]).toEqual([[{ type: "again" }], true]);
    model.update({ meta: {} });
    expect([button.hidden, button.disabled]).toEqual([true, false]);
  });

  test("where nobody answers, that is said.", async () => {
    const { root } = open(extras, { can_again: true });
    const button = root.querySelector<HTMLButtonElement>(".l0-again")!;
    button.click();
    vi.advanceTimersByTime(5000);
    expect(button.disabled).toBe(false);
    expect(root.querySelector("[role=status]")!.textContent).toBe("The kernel does not answer");
  });

  test("a finding is underlined where it is, and goes on being so as the text grows.", async () => {
    const { say, find, marks, answer } = open(extras);
    const source = '# The *lamp*\n\nSee [the **lamp**](http://a.b/lamp "x") and a lamp';
    await say(source);
    await find(finding(source.lastIndexOf("lamp"), "third"), finding(source.indexOf("lamp"), "first"));
    const both = [
      ["lamp", "first"],
      ["lamp", "third"],
    ];
    expect(marks()).toEqual(both);
    for (const word of [" of", " glass", ".\n\nNext", " lamp"]) {
      await say(word);
      expect(marks()).toEqual(both);
    }
    expect(answer.querySelector("h1 em mark")).not.toBeNull();
    expect(answer.textContent).toBe("The lampSee the lamp and a lamp of glass.Next lamp");
    expect(answer.querySelector("mark")!.tabIndex).toBe(0);
  });

  test("a place in code points is found behind letters of two units.", async () => {
    const { say, find, marks } = open(extras);
    await say("🎉🎉 one *two* three");
    await find(finding(8));
    expect(marks()).toEqual([["two", "because"]]);
  });

  test.each(["python", "", "klingon"])(
    "a finding in code that goes on is underlined when its line is complete: %s",
    async (language) => {
      const { say, find, marks, answer } = open(extras);
      const source = `Hi\n\n\`\`\`${language}\nkey = plain # secret\nnext = more and\n`;
      await find(finding(source.indexOf("plain"), "a"), finding(source.indexOf("more"), "b"));
      let said = "";
      const seen = new Set<string>();
      for (const character of `${source}on = 1`) {
        await say(character);
        said += character;
        seen.add(JSON.stringify(marks()));
        const code = said.split("```")[1]?.replace(/^\S*\n?/, "") ?? "";
        const shown = [...answer.querySelectorAll(".l0-part")].map((part) => part.textContent);
        expect(shown.join("").trimEnd()).toBe(code.trimEnd());
      }
      const both = [
        ["plain", "a"],
        ["more", "b"],
      ];
      expect(marks()).toEqual(both);
      expect([...seen].at(-1)).toBe(JSON.stringify(both));
      await say("\n```\n\nend", false);
      expect(marks()).toEqual(both);
    },
  );

  test("a finding in code is underlined before the block is closed, in its colours.", async () => {
    const { say, find, marks, answer, spans } = open(extras);
    const source = "Hi\n\n```python\nkey = 'AKIA'  # secret\n";
    await say(source);
    await find(finding(source.indexOf("AKIA")));
    expect(marks()).toEqual([]);
    await say("x");
    expect(marks()).toEqual([["AKIA'", "because"]]);
    await say(" = 1\n```\n\nend", false);
    expect(marks()).toEqual([["AKIA'", "because"]]);
    expect(answer.querySelector(".l0-ts mark")).not.toBeNull();
    expect(spans()).toEqual(["o:=", "s:'AKIA'", "c:# secret", "o:=", "n:1"]);
  });

  test("findings of one word are said together, and one that is gone is let go.", async () => {
    const { say, find, marks, violations, answer } = open(extras);
    await say("one two three", false);
    await find(finding(4, "a"), finding(4, "b"));
    expect(marks()).toEqual([["two", "a\nb"]]);
    violations.length = 0;
    await find();
    expect(marks()).toEqual([]);
    expect(answer.textContent).toBe("one two three");
  });

  test("text that is not drawn as Markdown has its findings too, and goes on after them.", async () => {
    const { say, find, marks, cut, answer } = open(extras, {}, "text");
    await say("one *two* three");
    await find(finding(4), finding(40));
    await say(" four");
    expect(marks()).toEqual([["*two*", "because"]]);
    await cut(6);
    await say("x y");
    expect(answer.textContent).toBe("one *tx y");
    expect(marks()).toEqual([["*tx", "because"]]);
  });

  test("text as it was written has its code in colours between the fences.", async () => {
    const { say, cut, answer } = open(extras, {}, "raw");
    const source = 'A def here\n```python\ndef f():\n  """x\n```\nreturn\n~~~js\nlet x';
    const shown = () =>
      [...answer.querySelectorAll("span:not(.l0-tp)")].map(
        (el) => `${el.className.slice(4)}:${el.textContent}`,
      );
    for (const character of source) await say(character);
    expect(shown()).toEqual(["k:def", "f:f", 's:"""x', "k:let"]);
    expect(answer.textContent).toBe(source);
    await cut(12);
    await say("def");
    expect(shown()).toEqual([]);
    expect(answer.textContent).toBe("A def here\n`def");
  });

  test("each card, and each run that is opened, has a button that copies its answer.", async () => {
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const root = document.createElement("section");
    document.body.append(root);
    const control = new AbortController();
    const told = (el: Element) => ({ content: `<${el.id}>`, violations: [] });
    extras(root, new FakeModel({}), "", told, control.signal);
    for (const [of, head] of [
      ["card", "name"],
      ["run", "head"],
    ]) {
      const part = document.createElement("article");
      part.className = `l0-${of}`;
      part.appendChild(document.createElement("div")).className = `l0-${head}`;
      const answer = part.appendChild(document.createElement("div"));
      answer.className = "l0-answer";
      answer.id = of!;
      root.append(part);
    }
    await settle();
    const buttons = root.querySelectorAll<HTMLElement>(".l0-take");
    expect(buttons).toHaveLength(2);
    for (const button of buttons) button.click();
    await settle();
    expect(writeText.mock.calls).toEqual([["<card>"], ["<run>"]]);
    control.abort();
  });

  test("in the end nothing is left that listens.", async () => {
    const { say, spans, model, end } = open(extras);
    expect((document as any).adoptedStyleSheets).toHaveLength(1);
    end();
    expect((document as any).adoptedStyleSheets).toHaveLength(0);
    expect(model.listeners).toBe(0);
    await say("```js\nlet x\n");
    expect(spans()).toEqual([]);
  });

  test("payloads in code become text in our spans and nothing else.", async () => {
    const { say, answer, code, find, marks } = open(extras);
    for (const lang of ["html", "js", "python", "css", "yaml", "sql", "bash", "json", "diff", "x"]) {
      const lines = corpus.flatMap((payload) => payload.split("\n")).filter((line) => !/^\s*[`~]{3}/.test(line));
      await say(`\`\`\`${lang}\n${lines.join("\n")}\n\`\`\`\n\n`);
    }
    expect(code().length).toBeGreaterThan(1000);
    await find(...Array.from({ length: 80 }, (_, i) => finding(i * 97, corpus[i % corpus.length]!)));
    await say("end", false);
    expect(marks().length).toBeGreaterThan(20);
    for (const el of answer.querySelectorAll("pre *")) {
      expect(el.tagName).toMatch(/^(SPAN|DIV|BUTTON|MARK)$/);
      for (const { name, value } of el.attributes) {
        if (el.tagName === "MARK" && /^(title|tabindex)$/.test(name)) continue;
        expect(name).toMatch(/^(class|type)$/);
        expect(value).toMatch(/^(l0-(t[ksncfaoid]|lang|part|copy|found l0-error)|button)$/);
      }
    }
  });
});
