import { expect, test } from "vitest";
import { underline } from "../src/lib/found";
import { text } from "../src/lib/text";
import { random } from "./fake";

const finding = (position: number) => ({ rule: "r", message: "because", position });

function open() {
  const root = document.createElement("div");
  return { root, body: text(root) };
}

test("Text is shown as it is, in blocks of about 2 KB that end with a line.", () => {
  const { root, body } = open();
  const line = "a line of plain text\n";
  body.append(line.repeat(1000));
  body.draw(true);
  expect(root.textContent).toBe(line.repeat(1000));
  expect(root.children.length).toBeGreaterThan(5);
  for (const part of [...root.children].slice(0, -1)) {
    expect(part.textContent!.length).toBeGreaterThanOrEqual(2048);
    expect(part.textContent!.length).toBeLessThan(2048 + line.length);
    expect(part.textContent).toMatch(/\n$/);
  }
});

test("Text without a line break is not broken before 32 KB.", () => {
  const { root, body } = open();
  body.append("x".repeat(70_000));
  body.draw(true);
  expect([...root.children].map((part) => part.textContent!.length)).toEqual([32768, 32768, 4464]);
});

test("Any pieces and any cuts give the text that stands.", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const { root, body } = open();
    let content = "";
    for (let i = 0; i < 60; i++) {
      const piece = "word \n🎉line".repeat(Math.floor(next() * 60)).slice(Math.floor(next() * 9));
      content += piece;
      body.append(piece);
      if (next() < 0.5) body.draw(true);
      if (next() < 0.2) {
        const keep = Math.floor(next() * (content.length + 1));
        body.cut(content, keep);
        content = content.slice(0, keep);
      }
      if (next() < 0.3 && content) {
        const violations = [finding(Math.floor(next() * content.length))];
        underline(root, { content, violations }, () => false);
      }
    }
    body.draw(false);
    expect(root.textContent).toBe(content);
  }
});

test("Blocks that are full are not touched again.", () => {
  const { root, body } = open();
  body.append("line\n".repeat(1000));
  body.draw(true);
  const [first] = root.children;
  const observer = new MutationObserver(() => {});
  observer.observe(first!, { childList: true, characterData: true, subtree: true });
  body.append("line\n".repeat(1000));
  body.draw(true);
  expect(observer.takeRecords()).toEqual([]);
});
