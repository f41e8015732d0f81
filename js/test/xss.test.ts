import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { markdown } from "../src/lib/markdown";
import { text } from "../src/lib/text";
import view from "../src/stream";
import { FakeKernel } from "./fake";
import corpus from "./xss.json";

const ELEMENTS = new Set(
  "A BLOCKQUOTE BR CODE DEL DIV EM H1 H2 H3 H4 H5 H6 HR LI OL P PRE SPAN STRONG TABLE TD TH TR UL".split(
    " ",
  ),
);
const ATTRIBUTES = /^(class|href|rel|start|target)$/;
const CLASSES = /^l0-(end|mid|lang|part)$/;

/** Nothing stands in the answer but the elements, attributes and schemes of the list. */
function inspect(root: Element, source: string): void {
  for (const el of root.querySelectorAll("*")) {
    expect(ELEMENTS, source).toContain(el.tagName);
    for (const { name, value } of el.attributes) {
      expect(name, source).toMatch(ATTRIBUTES);
      if (name === "class") expect(value, source).toMatch(CLASSES);
      if (name === "start") expect(value, source).toMatch(/^\d+$/);
      if (name === "href") {
        expect(["http:", "https:", "mailto:"], source).toContain(new URL(value).protocol);
        expect(el.getAttribute("rel")).toBe("noopener noreferrer");
        expect(el.getAttribute("target")).toBe("_blank");
      }
    }
  }
}

test("The corpus has at least sixty payloads.", () => {
  expect(new Set(corpus).size).toBeGreaterThanOrEqual(60);
});

describe("Untrusted Markdown makes only text, our elements and safe links", () => {
  test.each(corpus)("%j", (payload) => {
    for (const source of [
      payload,
      `text ${payload}`,
      `- ${payload}\n- x`,
      `> ${payload}`,
      `\n\n${payload}\n\nafter`,
    ]) {
      const root = document.createElement("div");
      const body = markdown(root);
      for (const character of source) {
        body.append(character);
        body.draw(true);
        inspect(root, source);
      }
      body.draw(false);
      inspect(root, source);
    }
  });
});

test("Payloads between other payloads do not help each other.", () => {
  const root = document.createElement("div");
  const body = markdown(root);
  corpus.forEach((payload, i) =>
    body.append(payload + (i % 3 ? "\n" : " ") + corpus[(i * 7) % corpus.length]!),
  );
  body.draw(false);
  inspect(root, "all");
});

test("Text mode shows every payload as it is.", () => {
  for (const payload of corpus) {
    const root = document.createElement("div");
    const body = text(root);
    body.append(payload);
    body.draw(true);
    inspect(root, payload);
    expect(root.textContent).toBe(payload);
  }
});

describe("A view whose every word is hostile", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    document.body.replaceChildren();
  });

  test.each(corpus)("%j", (payload) => {
    const kernel = new FakeKernel({
      meta: { model: payload, notes: [payload], format: "markdown" },
    });
    const root = document.body.appendChild(document.createElement("div"));
    const end = view.render({ model: kernel.model, el: root });
    kernel.push(["e", [["STREAM_INIT", 1, { attempt: 1, fallback_index: 0 }]]], ["d", payload]);
    kernel.push([
      "e",
      [
        ["STREAM_EVENT", 2, { event: { type: "message", text: payload } }],
        [
          "STREAM_EVENT",
          2,
          { event: { type: "data", payload: { content_type: payload, mime_type: payload } } },
        ],
        [
          "GUARDRAIL_RULE_RESULT",
          3,
          {
            violations: [
              {
                rule: payload,
                message: payload,
                severity: payload,
                position: 0,
                suggestion: payload,
              },
            ],
          },
        ],
        [
          "TOOL_REQUESTED",
          4,
          {
            tool_name: payload,
            tool_call_id: payload,
            arguments: { [payload]: payload },
            index: 0,
          },
        ],
        ["TOOL_ERROR", 4, { tool_name: payload, tool_call_id: payload, error: payload }],
        ["ERROR", 5, { error: payload, error_type: payload }],
        ["RETRY_ATTEMPT", 6, { attempt: 1, max_attempts: 2, reason: payload, delay_ms: 1 }],
      ],
    ]);
    vi.advanceTimersByTime(400);
    expect(root.querySelector(".l0-tools details, .l0-findings li")).not.toBeNull();
    check(root);
    kernel.push(
      ["r", 0],
      [
        "e",
        [["RESTART", 7, { kept_chars: 0, kept_tokens: 0, discarded_chars: 9, reason: payload }]],
      ],
    );
    const error = { type: payload, message: payload, hint: payload };
    kernel.model.update({ status: "failed", meta: { ...kernel.model.get("meta"), error } });
    vi.advanceTimersByTime(400);
    expect(root.querySelectorAll(".l0-cut, .l0-error b")).toHaveLength(2);
    check(root);
    kernel.model.update({ content: payload, events: [], rev: 99 });
    vi.advanceTimersByTime(400);
    check(root);
    end();
  });

  function check(root: Element): void {
    for (const el of root.querySelectorAll("*")) {
      expect(el.tagName).not.toMatch(
        /^(script|style|img|iframe|object|embed|form|input|meta|link|base|video|audio)$/i,
      );
      for (const { name, value } of el.attributes) {
        expect(name).not.toMatch(/^(on|data-commandlinker|src|style|action|formaction|xlink)/i);
        if (name === "href") expect(value).toMatch(/^(https?:|mailto:)/);
        if (name === "class") for (const one of value.split(/\s+/)) expect(one).toMatch(/^l0-/);
      }
    }
  }
});
