import { describe, expect, test } from "vitest";
import { cut, fold, newState, rebuild, type State } from "../src/lib/fold";
import type { Op, Row } from "../src/lib/wire";
import cases from "./fold-cases.json";

function apply(state: State, ops: Op[]): Row[] {
  const rows: Row[] = [];
  for (const [kind, value] of ops) {
    if (kind === "d") state.content += value;
    else if (kind === "r") cut(state, value as number);
    else if (kind === "e")
      for (const row of value as Row[]) {
        rows.push(row);
        fold(state, row);
      }
  }
  return rows;
}

describe("The page's fold gives the state that Python's fold gives", () => {
  test.each(cases.map((c, i) => [i, c] as const))("case %i", (_, { ops, state: facts }) => {
    const state = newState();
    const rows = apply(state, ops as Op[]);
    expect(state).toMatchObject(facts);
    // A late joiner gets the text and the rows, and knows the same.
    expect(rebuild(state.content, rows, newState())).toMatchObject(facts);
  });
});

const START: Row[] = [
  ["SESSION_START", 0, { options: {} }],
  ["STREAM_INIT", 5, { attempt: 1, fallback_index: 0 }],
  ["TOKENS", 100, { start: 0, count: 4, duration_ms: 300 }],
];
const restart = (kept_chars: number, kept_tokens: number, discarded_chars: number): Row => [
  "RESTART",
  900,
  { kept_chars, kept_tokens, discarded_chars, reason: "timeout", attempt: 2, fallback_index: 0 },
];
const TIMEOUT: Row = [
  "TIMEOUT_TRIGGERED",
  800,
  { timeout_type: "inter_token", configured_ms: 400, elapsed_ms: 401, token_index: 4 },
];

describe("Withdrawn text", () => {
  const orders: Array<[string, Op[]]> = [
    [
      "the text first",
      [
        ["r", 3],
        ["e", [TIMEOUT, restart(3, 1, 5)]],
      ],
    ],
    [
      "the event first",
      [
        ["e", [TIMEOUT, restart(3, 1, 5)]],
        ["r", 3],
      ],
    ],
  ];
  test.each(orders)("is kept with its reason, %s", (_, ops) => {
    const state = newState();
    apply(state, [["e", START], ["d", "One two."], ...ops]);
    expect(state.content).toBe("One");
    expect(state.withdrawn).toMatchObject([
      { attempt: 1, text: " two.", tokens: 3, of: 4, why: "gap timeout" },
    ]);
    expect(state.lost_tokens).toBe(3);
  });

  test("of two attempts stays with its own attempt.", () => {
    for (const [, ops] of orders) {
      const state = newState();
      apply(state, [["e", START], ["d", "One two."], ...ops]);
      apply(state, [
        ["e", [["STREAM_INIT", 950, { attempt: 2, fallback_index: 0 }]]],
        ["d", " TWO"],
      ]);
      apply(state, [
        ["r", 0],
        ["e", [restart(0, 0, 7)]],
      ]);
      expect(state.withdrawn.map((w) => [w.attempt, w.text])).toEqual([
        [1, " two."],
        [2, "One TWO"],
      ]);
    }
  });

  test("comes with the row where a snapshot carries it, and is else taken over.", () => {
    const rows: Row[] = [...START, [...restart(3, 1, 5)]];
    const told = rebuild(
      "One",
      [...START, ["RESTART", 900, { ...rows[3]![2], text: " two." }]],
      newState(),
    );
    expect(told.withdrawn[0]!.text).toBe(" two.");
    expect(rebuild("One", rows, told).withdrawn[0]!.text).toBe(" two.");
    expect(rebuild("One", rows, newState()).withdrawn[0]!.text).toBeUndefined();
  });

  test("of zero length is no entry: a continuation that keeps everything withdraws nothing.", () => {
    const state = newState();
    apply(state, [
      ["e", START],
      ["d", "One two."],
      ["r", 8],
      ["e", [restart(8, 4, 0)]],
    ]);
    expect(state.withdrawn).toEqual([]);
    expect(state.token_count).toBe(4);
  });
});

test("Findings beyond the cut go with the text they were found in.", () => {
  const found = (position: number | null) => ({
    rule: "r",
    message: "m",
    severity: "error",
    position,
  });
  const state = newState();
  apply(state, [
    [
      "e",
      [...START, ["GUARDRAIL_RULE_RESULT", 500, { violations: [found(1), found(6), found(null)] }]],
    ],
    ["e", [restart(3, 1, 5)]],
  ]);
  expect(state.violations.map((v) => v.position)).toEqual([1]);
  expect(state.withdrawn[0]!.violations.map((v) => v.position)).toEqual([6, null]);
});

describe("The story", () => {
  test("has a bar for waiting, streaming, a long silence and a back-off.", () => {
    const state = newState();
    apply(state, [
      [
        "e",
        [
          ...START,
          ["TOKENS", 410, { start: 4, count: 2, duration_ms: 90 }],
          ["TOKENS", 1500, { start: 6, count: 1, duration_ms: 0 }],
          ["ERROR", 1600, { error: "x", error_type: "E" }],
          [
            "RETRY_ATTEMPT",
            1600,
            { reason: "timeout", delay_ms: 500, attempt: 1, max_attempts: 2 },
          ],
          ["STREAM_INIT", 2050, { attempt: 2, fallback_index: 0 }],
        ],
      ],
    ]);
    const bars = state.lanes.map((lane) => lane.bars.map((b) => [b.kind, b.from, b.to]));
    expect(bars).toEqual([
      [
        ["wait", 5, 100],
        ["stream", 100, 500],
        ["wait", 500, 1500],
        ["stream", 1500, 1500],
        ["wait", 1500, 1600],
        ["back", 1600, 2050],
      ],
      [["wait", 2050, Infinity]],
    ]);
  });

  test("has marks that say what happened, in a person's words.", () => {
    const state = newState();
    apply(state, [
      [
        "e",
        [
          ...START,
          TIMEOUT,
          ["ERROR", 801, { error: "no token", error_type: "TimeoutError" }],
          ["RETRY_ATTEMPT", 802, { reason: "timeout", delay_ms: 500, attempt: 1 }],
          ["FALLBACK_MODEL_SELECTED", 803, { index: 1, reason: "rate_limit" }],
          ["CHECKPOINT_SAVED", 804, { checkpoint_length: 8, token_count: 4 }],
          [
            "TOOL_REQUESTED",
            805,
            { tool_name: "look_up", tool_call_id: "1", arguments: {}, index: 0 },
          ],
          ["ABORT_REQUESTED", 806, { source: "user" }],
          ["DRIFT_CHECK_RESULT", 807, { detected: true, types: ["tone_shift"] }],
          ["COMPLETE", 808, {}],
        ],
      ],
    ]);
    expect(state.marks.map((m) => [m.kind, m.text])).toEqual([
      ["timeout", "gap timeout after 0.40 s"],
      ["error", "error: no token"],
      ["retry", "retry: timeout, next try in 0.50 s"],
      ["fallback", "fallback: rate limit"],
      ["checkpoint", "checkpoint"],
      ["tool", "tool: look_up"],
      ["stop", "stop: user"],
      ["drift", "drift: tone shift"],
      ["done", "done"],
    ]);
  });

  test("knows which of an attempt's tokens still stand.", () => {
    const state = newState();
    apply(state, [["e", [...START, restart(3, 1, 5)]]]);
    expect(state.lanes[0]!.bars.find((b) => b.kind === "stream")).toMatchObject({
      first: 0,
      last: 4,
      kept: 1,
    });
  });
});

test("A tool's request, result and end become one entry.", () => {
  const state = newState();
  const id = { tool_name: "f", tool_call_id: "1" };
  apply(state, [
    [
      "e",
      [
        ["TOOL_REQUESTED", 1, { ...id, arguments: { a: 1 }, index: 0 }],
        ["TOOL_RESULT", 2, { ...id, result: 5 }],
      ],
    ],
    ["e", [["TOOL_COMPLETED", 3, { ...id, status: "success", duration_ms: 2 }]]],
  ]);
  expect(state.tools).toMatchObject([
    { tool_name: "f", arguments: { a: 1 }, result: 5, status: "success" },
  ]);
});

test("An event of an unknown type moves only the clock.", () => {
  const state = newState();
  apply(state, [
    [
      "e",
      [
        ["WORLD_TICK", 70, { n: 1 }],
        ["toString", 71, {}],
      ],
    ],
  ]);
  expect(state).toEqual({ ...newState(), t: 71 });
});
