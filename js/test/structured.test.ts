import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
// @ts-expect-error the build has no types; it must behave like the source
import built from "../../src/l0/notebook/static/structured.js";
import { tree } from "../src/lib/tree";
import source from "../src/structured";
import { FakeKernel, random } from "./fake";
import corpus from "./xss.json";

const MODULES = [
  ["source", source],
  ["build", built as typeof source],
] as const;
const META = { format: "data", schema: "Person", fields: ["name", "born"] } as any;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function open(view: typeof source, traits: Record<string, any> = {}) {
  const kernel = new FakeKernel({ meta: META, ...traits });
  const el = document.body.appendChild(document.createElement("div"));
  const end = view.render({ model: kernel.model, el });
  kernel.heartbeat();
  const frame = () => vi.advanceTimersByTime(40);
  frame();
  const read = (selector: string) => el.querySelector(selector)?.textContent;
  return { kernel, el, end, frame, read };
}

/** What a tree says, a line a row, nested ones indented. */
function shown(el: Element, depth = 0): string[] {
  return [...el.children].flatMap((row) => {
    if (row.className === "l0-nest") return shown(row, depth);
    const [key, value, inside] = [...row.children];
    if (!row.classList.contains("l0-field")) return [row.textContent!];
    const chips = [...value!.querySelectorAll(".l0-chip")].map((chip) => chip.textContent);
    const line = `${"  ".repeat(depth)}${key!.textContent}: ${chips.length ? chips.join(" | ") : value!.textContent}`;
    return [line, ...(inside ? shown(inside, depth + 1) : [])];
  });
}

function drawn(...pieces: string[]): string[] {
  const root = document.createElement("ul");
  const body = tree(root);
  for (const piece of pieces) {
    body.append(piece);
    body.draw(true);
  }
  body.draw(false);
  return shown(root);
}

const DOCUMENT = {
  station: 'Farrow "Rock" \\ Zürich 🎉\n',
  keeper: { name: "Marta", cat: true, since: 1886, left: null },
  rhythm: [2.5, -0.5],
  readings: [{ hour: "08:00" }, { hour: "12:00", wind: ["N", "NE"] }],
  none: [],
  empty: {},
};

describe("a tree", () => {
  test("has a row for each value, whatever its depth", () => {
    expect(drawn(JSON.stringify(DOCUMENT))).toEqual([
      'station: Farrow "Rock" \\ Zürich 🎉\n',
      "keeper: 4 fields",
      "  name: Marta",
      "  cat: true",
      "  since: 1886",
      "  left: null",
      "rhythm: 2.5 | -0.5",
      "readings: 2 items",
      "  0: 1 field",
      "    hour: 08:00",
      "  1: 2 fields",
      "    hour: 12:00",
      "    wind: N | NE",
      "none: none",
      "empty: none",
    ]);
  });

  test("is the same however the text is cut into pieces", () => {
    const whole = JSON.stringify(DOCUMENT, null, 2).replace("🎉", "\\ud83c\\udf89");
    const expected = drawn(whole);
    for (let seed = 0; seed < 60; seed++) {
      const next = random(seed);
      const pieces: string[] = [];
      for (let at = 0; at < whole.length; ) {
        const size = 1 + Math.floor(next() * (seed % 2 ? 3 : 40));
        pieces.push(whole.slice(at, (at += size)));
      }
      expect(drawn(...pieces)).toEqual(expected);
    }
  });

  test("begins where the value does, behind prose and a fence", () => {
    expect(drawn('Here [as asked] is {it}:\n```json\n{"a": 1,}\n```\nBye {"b": 2}')).toEqual(["a: 1"]);
    expect(drawn("No data at all [1")).toEqual(["0: 1"].slice(1));
  });

  test("reads what models write for JSON", () => {
    expect(drawn("{\"a\": {b: True, 'c': 'it', \"d\": None,},\n}")).toEqual([
      "a: 3 fields",
      "  b: True",
      "  c: it",
      "  d: None",
    ]);
  });

  test("shows a text while it grows, and a number when its end is seen", () => {
    expect(drawn('{"a": "half a te')).toEqual(["a: half a te"]);
    expect(drawn('{"a": 18')).toEqual([]);
    expect(drawn('{"a": 18', "15,")).toEqual(["a: 1815"]);
    expect(drawn('{"a": "\\u00')).toEqual(["a: "]);
  });

  test("goes back to what stands when text is withdrawn", () => {
    const root = document.createElement("ul");
    const body = tree(root);
    body.append('{"a": 1, "b": 2');
    body.draw(true);
    body.cut('{"a": 1, "b": 2', 9);
    body.append('"c": [3]}');
    body.draw(false);
    expect(shown(root)).toEqual(["a: 1", "c: 3"]);
  });

  test("has an end, however long the data is, and a depth", () => {
    const many = drawn(JSON.stringify(Object.fromEntries([...Array(1200).keys()].map((i) => [`k${i}`, i]))));
    expect(many.length).toBe(1001);
    expect(many.at(-1)).toBe("… and more, in data");
    expect(drawn('{"a":'.repeat(500)).length).toBeLessThan(20);
    const root = document.createElement("ul");
    tree(root).set([...Array(1200).keys()]);
    expect(root.querySelectorAll(".l0-chip").length).toBe(1000);
    expect(root.textContent!.endsWith("999… and more")).toBe(true);
  });

  test("closes for a bracket that nothing opened, and doesn't fail", () => {
    for (const text of ["{]", "[}", '{"a": ]}', "{}}}}", '{"a" 1}', '{,:,"', "[[[[", '{"a": @@ }'])
      expect(() => drawn(text)).not.toThrow();
  });

  test("takes nothing of the data for markup", () => {
    const root = document.createElement("ul");
    const body = tree(root);
    const payloads = (corpus as unknown[]).flat(3).map(String);
    body.append(JSON.stringify(Object.fromEntries(payloads.map((p, i) => [`${p}${i}`, [p, { p }]]))));
    body.draw(false);
    const tags = new Set([...root.querySelectorAll("*")].map((el) => el.tagName));
    expect([...tags].sort()).toEqual(["LI", "SPAN", "UL"]);
    const names = new Set([...root.querySelectorAll("*")].flatMap((el) => el.getAttributeNames()));
    expect([...names]).toEqual(["class"]);
  });
});

describe.each(MODULES)("the view of data (%s)", (_, view) => {
  test("keeps a place for each field, which fills in", () => {
    const { kernel, el, frame, read } = open(view);
    expect(read(".l0-what")).toBe("Personso far");
    expect(shown(el.querySelector(".l0-tree")!)).toEqual(["name: ", "born: "]);
    expect(el.querySelectorAll(".l0-todo").length).toBe(2);
    const place = el.querySelector(".l0-todo");
    kernel.push(["d", '{"name": "Ada Love']);
    frame();
    expect(shown(el.querySelector(".l0-tree")!)).toEqual(["name: Ada Love", "born: "]);
    expect(el.querySelector(".l0-now")).toBe(place);
    kernel.push(["d", 'lace", "born": 1815, "more": 1}']);
    frame();
    expect(shown(el.querySelector(".l0-tree")!)).toEqual([
      "name: Ada Lovelace",
      "born: 1815",
      "more: 1",
    ]);
    expect(el.querySelector(".l0-todo")).toBeNull();
  });

  test("ends with the validated value, what was corrected, and no field in progress", () => {
    const { kernel, el, frame, read } = open(view);
    kernel.push(["d", '{"name": "Ada",}']);
    frame();
    kernel.push([
      "st",
      "complete",
      {
        ...META,
        live: false,
        verdict: "valid",
        corrected: ["trailing comma removed"],
        data: { name: "Ada", born: 0 },
      },
    ]);
    frame();
    expect(read(".l0-what")).toBe("Person✓ validcorrected: trailing comma removed");
    expect(shown(el.querySelector(".l0-tree")!)).toEqual(["name: Ada", "born: 0"]);
    expect(el.querySelector(".l0-now")).toBeNull();
  });

  test("says what is wrong with data that is not valid, and why an attempt was withdrawn", () => {
    const { kernel, el, frame, read } = open(view);
    const wrong = { errors: [{ path: "born", message: "expected an integer" }], attempt: 1 };
    kernel.push(["e", [["STREAM_INIT", 1, { attempt: 1, fallback_index: 0 }]]]);
    kernel.push(["d", '{"name": "A"}'], ["e", [["SCHEMA_VALIDATION_ERROR", 9, wrong]]]);
    kernel.push(["r", 0]);
    const restart = { discarded_chars: 13, kept_chars: 0, kept_tokens: 0, reason: "guardrail_violation" };
    kernel.push(["e", [["RESTART", 10, restart]]]);
    frame();
    expect(read(".l0-cut summary")).toContain("not valid: born: expected an integer");
    expect(shown(el.querySelector(".l0-tree")!)).toEqual(["name: ", "born: "]);
    kernel.push(["st", "failed", { ...META, live: false, verdict: "invalid", faults: ["born: no"] }]);
    frame();
    expect(read(".l0-what")).toBe("Person✗ not valid");
    expect([...el.querySelectorAll(".l0-data li.l0-error")].map((li) => li.textContent)).toEqual([
      "born: no",
    ]);
  });

  test("draws a run that is asked for as text as text", () => {
    const { kernel, frame, read } = open(view, { meta: { format: "text" } });
    kernel.push(["d", '{"a": 1}']);
    frame();
    expect(read(".l0-answer")).toBe('{"a": 1}');
  });
});
