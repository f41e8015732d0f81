import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fold, newState } from "../src/lib/fold";
import { strip } from "../src/lib/timeline";
import type { Row } from "../src/lib/wire";

let control: AbortController;
beforeEach(() => void (control = new AbortController()));
afterEach(() => {
  control.abort();
  document.body.replaceChildren();
});

const ROWS: Row[] = [
  ["STREAM_INIT", 0, { attempt: 1, fallback_index: 0 }],
  ["TOKENS", 100, { start: 0, count: 8, duration_ms: 300 }],
  ["ERROR", 500, { error: "x", error_type: "E" }],
  ["RETRY_ATTEMPT", 500, { reason: "timeout", delay_ms: 500, attempt: 1 }],
  ["RESTART", 1000, { kept_chars: 9, kept_tokens: 2, discarded_chars: 20, reason: "timeout" }],
  ["STREAM_INIT", 1000, { attempt: 2, fallback_index: 0 }],
  ["TOKENS", 1200, { start: 2, count: 10, duration_ms: 400 }],
  ["COMPLETE", 1700, {}],
];

function open(rows: Row[], live = false, now = 0) {
  const read = vi.fn<(text: string) => void>();
  const view = strip(read, control.signal);
  document.body.append(view.el);
  const state = newState();
  for (const row of rows) fold(state, row);
  view.draw(state, now || state.t, live);
  const knob = view.el.querySelector(".l0-knob") as HTMLElement;
  const path = (pen: string) => view.el.querySelector(`.l0-k-${pen}`)!.getAttribute("d") ?? "";
  const press = (key: string) => {
    const event = new KeyboardEvent("keydown", { key, cancelable: true });
    knob.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const last = () => read.mock.calls.at(-1)![0];
  return { view, state, knob, path, press, last };
}

test("Bars and marks are drawn with one path a kind.", () => {
  const { path, view } = open(ROWS);
  expect(path("stream").match(/M/g)).toHaveLength(1);
  expect(path("lost").match(/M/g)).toHaveLength(1);
  expect(path("again").match(/M/g)).toHaveLength(1);
  for (const pen of ["wait", "back", "retry", "error", "cut", "done"])
    expect(path(pen), pen).not.toBe("");
  for (const pen of ["now", "drift", "tool"]) expect(path(pen), pen).toBe("");
  expect([...view.el.querySelectorAll("text")].map((t) => t.textContent)).toContain("1 s");
});

test("Of a bar whose tokens were cut, the part that stands keeps its colour.", () => {
  const { path } = open(ROWS);
  const width = (d: string) => parseFloat(/h([\d.]+)/.exec(d)![1]!);
  expect(width(path("stream")) / (width(path("stream")) + width(path("lost")))).toBeCloseTo(2 / 8);
});

describe("By keyboard", () => {
  test("the arrows read every bar and mark in the order of time.", () => {
    const { press, last, knob } = open(ROWS);
    const heard: string[] = [];
    for (let i = 0; i < 9; i++) {
      expect(press("ArrowRight")).toBe(true);
      heard.push(last());
    }
    expect(heard).toEqual(
      [
        "0.00 s – 0.10 s · attempt 1 · waiting",
        "0.10 s – 0.40 s · attempt 1 · 8 tokens, 6 withdrawn",
        "0.40 s – 0.50 s · attempt 1 · waiting",
        "0.50 s – 1.0 s · attempt 1 · back-off",
        "0.50 s · attempt 1 · error: x",
        "0.50 s · attempt 1 · retry: timeout, next try in 0.50 s",
        "1.0 s – 1.2 s · attempt 2 · waiting",
        "1.0 s · attempt 1 · cut: 20 characters withdrawn",
        "1.2 s – 1.6 s · attempt 2 · 10 tokens",
      ].map((text) => text.replace("cut: ", "")),
    );
    expect(knob.getAttribute("aria-valuetext")).toBe(heard.at(-1));
    expect(knob.getAttribute("aria-valuenow")).toBe("9");
  });

  test("Home, End and the ends of the row are where one expects them.", () => {
    const { press, last } = open(ROWS);
    press("End");
    expect(last()).toContain("done");
    press("ArrowRight");
    expect(last()).toContain("done");
    press("Home");
    press("ArrowLeft");
    expect(last()).toBe("0.00 s – 0.10 s · attempt 1 · waiting");
  });

  test("other keys are left to the page.", () => {
    const { press } = open(ROWS);
    expect(press("Tab")).toBe(false);
    expect(press("b")).toBe(false);
  });

  test("leaving ends the reading.", () => {
    const { press, last, knob, path } = open(ROWS);
    press("End");
    expect(path("pick")).not.toBe("");
    knob.dispatchEvent(new Event("blur"));
    expect(last()).toBe("");
    expect(path("pick")).toBe("");
  });
});

test("The pointer reads what is nearest in its lane.", () => {
  const { knob, last } = open(ROWS);
  const point = (x: number, y: number) => {
    const event = new Event("pointermove") as any;
    event.offsetX = x;
    event.offsetY = y;
    knob.dispatchEvent(event);
    return last();
  };
  expect(point(80, 19)).toContain("8 tokens");
  expect(point(620, 30)).toContain("done");
  expect(point(2, 300)).toBe("");
});

describe("Live", () => {
  test("the present and an open silence are drawn, and the axis has room ahead.", () => {
    const { path, view } = open(ROWS.slice(0, 2), true, 1500);
    expect(path("now")).not.toBe("");
    expect(path("wait").match(/M/g)).toHaveLength(2);
    expect(
      [...view.el.querySelectorAll("text")].some(
        (t) => t.textContent === "1.8 s" || t.textContent === "2 s",
      ),
    ).toBe(true);
  });

  test("the axis grows in steps, not with every tick.", () => {
    const { view, state } = open(ROWS.slice(0, 2), true, 1500);
    const grid = () => view.el.querySelector(".l0-k-grid")!.getAttribute("d");
    const before = grid();
    view.draw(state, 1600, true);
    expect(grid()).toBe(before);
    view.draw(state, 2600, true);
    expect(grid()).not.toBe(before);
  });
});

test("Marks of one moment stand side by side.", () => {
  const { path } = open(ROWS);
  const x = (pen: string) => parseFloat(path(pen).slice(1));
  expect(x("retry") - x("error")).toBeGreaterThanOrEqual(11.9);
});

test("Thousands of checkpoints cost no more elements and no more than a tick a pixel.", () => {
  const rows: Row[] = [["STREAM_INIT", 0, { attempt: 1, fallback_index: 0 }]];
  for (let i = 0; i < 20_000; i++) {
    rows.push(["TOKENS", 10 + i * 10, { start: i * 10, count: 10, duration_ms: 9 }]);
    rows.push(["CHECKPOINT_SAVED", 20 + i * 10, { token_count: i * 10 }]);
  }
  const { view, path } = open(rows);
  expect(path("checkpoint").match(/M/g)!.length).toBeLessThan(640);
  expect(view.el.querySelectorAll("path").length).toBeLessThan(25);
  expect(path("stream").match(/M/g)).toHaveLength(1);
});

test("A bar of which everything stands shows nothing withdrawn, whatever the rounding.", () => {
  for (let n = 1; n < 200; n += 7) {
    const { path, view } = open([
      ["STREAM_INIT", 0, { attempt: 1, fallback_index: 0 }],
      ["TOKENS", 33.3, { start: 0, count: n, duration_ms: n * 7.7 }],
    ]);
    expect(path("lost")).toBe("");
    view.el.remove();
  }
});

test("A run without an attempt has an empty strip.", () => {
  const { path, view } = open([]);
  expect(path("stream")).toBe("");
  expect(view.el.querySelector("svg")!.getAttribute("height")).toBe("44");
});
