import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fold, newState } from "../src/lib/fold";
import { player, tape } from "../src/lib/player";
import type { Row } from "../src/lib/wire";
import { random } from "./fake";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A batch: a token each `step` ms. */
const said = (t: number, start: number, words: string[], step = 10): Row => [
  "TOKENS",
  t,
  {
    start,
    count: words.length,
    duration_ms: (words.length - 1) * step,
    text: words.join(""),
    n: words.map((word) => word.length),
    at: words.map((_, i) => i * step),
  },
];
const init = (t: number, attempt: number): Row => [
  "STREAM_INIT",
  t,
  { attempt, fallback_index: 0 },
];
const RUN: Row[] = [
  ["SESSION_START", 0, { options: {} }],
  init(1, 1),
  said(100, 0, ["Hel", "lo ", "🎉 ", "wor"]),
  ["ERROR", 200, { error: "gone", error_type: "NetworkError" }],
  [
    "RETRY_ATTEMPT",
    200,
    { attempt: 1, max_attempts: 3, reason: "network_error", delay_ms: 100, counts_toward_limit: false },
  ],
  [
    "RESTART",
    300,
    { kept_chars: 6, kept_tokens: 2, discarded_chars: 5, reason: "network_error", text: "🎉 wor" },
  ],
  init(301, 2),
  said(400, 2, ["there", "!"], 50),
  ["FINALIZATION_END", 460, { passed: true }],
  ["SESSION_END", 461, { duration_ms: 461, outcome: "completed" }],
];

test("at each moment the text is what was there", () => {
  const film = tape(RUN);
  const texts = [0, 99, 100, 115, 129, 130, 299, 300, 400, 449, 450, 1e9].map((t) => {
    film.seek(t);
    return film.state.content;
  });
  expect(texts).toEqual([
    "",
    "",
    "Hel",
    "Hello ",
    "Hello 🎉 ",
    "Hello 🎉 wor",
    "Hello 🎉 wor",
    "Hello ",
    "Hello there",
    "Hello there",
    "Hello there!",
    "Hello there!",
  ]);
  expect(film.length).toBe(461);
  expect(film.past).toBe(RUN.length);
});

test("at the end it is the fold of the rows", () => {
  const film = tape(RUN);
  film.seek(Infinity);
  const whole = newState();
  for (const row of RUN) fold(whole, row);
  const { content, owed, ...rest } = film.state;
  const { content: _, owed: __, ...wanted } = whole;
  expect(content).toBe("Hello there!");
  expect(owed).toBeUndefined();
  expect(rest).toEqual(wanted);
  expect(rest.withdrawn[0]).toMatchObject({ text: "🎉 wor", tokens: 2, of: 4 });
});

test("it makes no difference by which way a moment is reached", () => {
  const next = random(7);
  const wandering = tape(RUN);
  for (let i = 0; i < 300; i++) {
    const t = Math.round(next() * 480);
    wandering.seek(t);
    const direct = tape(RUN);
    direct.seek(t);
    expect(wandering.state).toEqual(direct.state);
    expect([wandering.past, wandering.status]).toEqual([direct.past, direct.status]);
  }
});

test("the status is that of the moment", () => {
  const film = tape(RUN);
  const told = [0, 100, 200, 299, 400].map((t) => {
    film.seek(t);
    return film.status;
  });
  expect(told).toEqual(["waiting", "streaming", "retrying", "retrying", "streaming"]);
});

test("rows of a run nobody recorded have their text at the end of the tokens", () => {
  const row: Row = ["TOKENS", 10, { start: 0, count: 9, duration_ms: 90, text: "all", n: [3], at: [90] }];
  const film = tape([init(0, 1), row]);
  film.seek(99);
  expect(film.state.content).toBe("");
  film.seek(100);
  expect(film.state.content).toBe("all");
});

test("a run without rows can be played", () => {
  const film = tape([]);
  film.seek(100);
  expect([film.now, film.length, film.state.content]).toEqual([0, 0, ""]);
});

function playing() {
  const film = tape(RUN);
  const control = new AbortController();
  const moved = vi.fn();
  const machine = player(film, moved, control.signal);
  film.seek(Infinity);
  return { film, machine, moved, control };
}

test("it plays from the beginning at its own pace, and stops at the end", () => {
  const { film, machine } = playing();
  machine.toggle();
  expect(film.now).toBe(0);
  vi.advanceTimersByTime(120);
  expect(film.now).toBeGreaterThan(90);
  expect(film.now).toBeLessThanOrEqual(120);
  expect(film.state.content).toMatch(/^Hel/);
  vi.advanceTimersByTime(400);
  expect(machine.playing).toBe(false);
  expect(film.state.content).toBe("Hello there!");
});

test("it pauses and goes on where it was", () => {
  const { film, machine } = playing();
  machine.toggle();
  vi.advanceTimersByTime(150);
  machine.toggle();
  const { now } = film;
  vi.advanceTimersByTime(1000);
  expect(film.now).toBe(now);
  machine.toggle();
  vi.advanceTimersByTime(32);
  expect(film.now).toBeGreaterThan(now);
  expect(film.now).toBeLessThan(now + 50);
});

test.each([0.5, 2, 8])("at speed %d it takes as much less time", (speed) => {
  const { film, machine } = playing();
  machine.speed = speed;
  machine.toggle();
  vi.advanceTimersByTime(48);
  expect(film.now / 48).toBeCloseTo(speed, 0);
});

test("nothing moves when the view is gone", () => {
  const { machine, moved, control } = playing();
  machine.toggle();
  control.abort();
  moved.mockClear();
  vi.advanceTimersByTime(200);
  expect(moved).not.toHaveBeenCalled();
});
