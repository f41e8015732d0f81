import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
// @ts-expect-error the build has no types; it must behave like the source
import built from "../../src/l0/notebook/static/board.js";
import source from "../src/board";
import { spots } from "../src/lib/spots";
import type { Op, Row } from "../src/lib/wire";
import { dressing, FakeModel } from "./fake";
import corpus from "./xss.json";

const MODULES = [
  ["source", source],
  ["build", built as typeof source],
] as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

const frame = () => vi.advanceTimersByTime(20);
const META = { kind: "race", labels: ["tortoise", "hare"], format: "text", can_stop: true, live: true };

/** A kernel that talks for each run and for the board, by numbers of their own. */
class Kernel {
  q = new Map<number | null, number>();
  model: FakeModel;
  constructor(meta: Record<string, any> = META, traits: Record<string, any> = {}) {
    const card = { content: "", events: [], status: "waiting", meta: {}, rev: 0 };
    const cards = (meta.labels ?? []).map(() => card);
    this.model = new FakeModel({ status: "waiting", meta, cards, rev: 0, ...traits });
  }
  say(card: number | null, ...ops: Op[]): void {
    this.skip(card);
    this.model.emit("msg:custom", { cards: [[card, { q: this.q.get(card), ops }]] });
  }
  skip(card: number | null): void {
    this.q.set(card, (this.q.get(card) ?? 0) + 1);
  }
  beat(card: number | null): void {
    this.model.emit("msg:custom", { cards: [[card, { q: this.q.get(card) ?? 0, ops: [["h"]] }]] });
  }
}

function open(view: typeof source, kernel = new Kernel()) {
  const el = document.body.appendChild(document.createElement("div"));
  const end = view.render({ model: kernel.model, el });
  kernel.beat(null);
  frame();
  const find = (selector: string) => el.querySelector(selector) as HTMLElement;
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  return { kernel, el, end, find, all, button: find("button") as HTMLButtonElement };
}

const init: Row = ["STREAM_INIT", 1, { attempt: 1, fallback_index: 0 }];
const tokens = (t: number, start: number, count: number): Row => [
  "TOKENS",
  t,
  { start, count, duration_ms: 100 },
];
const verdict = (more: Record<string, any> = {}) => ({
  ...META,
  live: false,
  verdict: { says: "hare was first", text: "", winner: 1, badges: ["", "winner"], spots: [], ...more },
});

describe.each(MODULES)("The board (%s)", (_, view) => {
  test("shows each run in a column of its own.", () => {
    const { kernel, all, find } = open(view);
    kernel.say(null, ["st", "streaming"]);
    kernel.say(0, ["st", "streaming"], ["d", "slow"], ["e", [init, tokens(50, 0, 1)]]);
    kernel.say(1, ["st", "streaming"], ["d", "quick as"], ["e", [init, tokens(50, 0, 2)]]);
    frame();
    expect(all(".l0-card b").map((el) => el.textContent)).toEqual(["tortoise", "hare"]);
    expect(all(".l0-answer").map((el) => el.textContent)).toEqual(["slow", "quick as"]);
    expect(all(".l0-numbers")[1]!.textContent).toMatch(/^streaming · 2\u00a0tokens/);
    expect(find(".l0-head").textContent).toContain("race of 2");
  });

  test.each([
    [["tortoise", "hare"], / · 0\.\d+\u00a0s · /],
    [["tortoise", "hare", "fox"], /^streaming · 2\u00a0tokens( · [^·]*tok\/s)?$/],
  ])("of columns %j the narrow ones leave the time to the head.", (labels, line) => {
    const { kernel, all } = open(view, new Kernel({ ...META, labels }));
    kernel.say(0, ["st", "streaming"], ["d", "slow one"], ["e", [init, tokens(50, 0, 2)]]);
    frame();
    expect(all(".l0-numbers")[0]!.textContent).toMatch(line);
    kernel.say(0, ["st", "complete"]);
    frame();
    expect(all(".l0-numbers")[0]!.textContent).toMatch(/ · [\d.]+\u00a0(ms|s)/);
  });

  test("names the winner, and shows the others as stopped.", () => {
    const { kernel, all, find } = open(view);
    kernel.say(0, ["st", "streaming"], ["d", "slow"]);
    kernel.say(1, ["st", "streaming"], ["d", "quick"]);
    kernel.say(0, ["st", "aborted"]);
    kernel.say(1, ["st", "complete"]);
    kernel.say(null, ["st", "complete", verdict() as any]);
    frame();
    expect(all(".l0-badge").map((el) => el.textContent)).toEqual(["", "✓ winner"]);
    expect(all(".l0-card")[0]!.hasAttribute("data-lost")).toBe(true);
    expect(all(".l0-numbers")[0]!.textContent).toMatch(/^stopped/);
    expect(find(".l0-head").textContent).toContain("hare was first");
    expect(find("[role=status]").textContent).toContain("hare was first");
    expect(find("button")).toHaveProperty("disabled", true);
  });

  test("hands on which words differ, when it is over.", async () => {
    const { kernel, all } = open(view);
    const [, , , told] = await dressing(kernel.model);
    kernel.say(0, ["d", "the red fox runs"], ["st", "complete"]);
    kernel.say(1, ["d", "the quick fox"], ["st", "complete"]);
    const end = verdict({ winner: 1, badges: ["similar", "agrees"], spots: [[[3, 6], [9, 13]], []] });
    const places = () => all(".l0-answer").map((answer) => told(answer).places);
    frame();
    expect(places()).toEqual([[], []]);
    kernel.say(null, ["st", "complete", end as any]);
    frame();
    expect(places()).toEqual([[[3, 6], [9, 13]], []]);
  });

  test("folds what a model said of its thinking in its column, as it comes.", () => {
    const { kernel, all } = open(view);
    const thought = (t: number, text: string): Row => [
      "STREAM_EVENT",
      t,
      { event: { type: "message", text } },
    ];
    kernel.say(1, ["st", "streaming"], ["e", [init, thought(5, "Towers ")]]);
    frame();
    const [slow, quick] = all(".l0-card > .l0-think") as HTMLDetailsElement[];
    expect([slow!.hidden, quick!.hidden, quick!.open]).toEqual([true, false, false]);
    quick!.open = true;
    kernel.say(1, ["e", [thought(9, "are high.")]], ["d", "High."]);
    frame();
    expect(quick!.textContent).toBe("Reasoning · 16 charactersTowers are high.");
    expect(quick!.open).toBe(true);
    expect(all(".l0-answer")[1]!.textContent).toBe("High.");
  });

  test("shows the tools that a run calls in its column.", () => {
    const { kernel, all } = open(view);
    const call = { tool_name: "get_weather", tool_call_id: "1" };
    const rows: Row[] = [init, ["TOOL_REQUESTED", 9, { ...call, arguments: { at: "<b>" }, index: 0 }]];
    kernel.say(0, ["e", rows]);
    frame();
    const tools = () => all(".l0-tool").map((el) => el.textContent);
    expect(tools()).toEqual(['get_weather · requested{\n  "at": "<b>"\n}']);
    kernel.say(0, ["e", [["TOOL_RESULT", 90, { ...call, result: 7, duration_ms: 80 }]]]);
    frame();
    expect(tools()[0]).toMatch(/^get_weather · result · 0.08 s/);
    expect(all(".l0-card")[0]!.contains(all(".l0-tool")[0]!)).toBe(true);
  });

  test("keeps the number of a run apart from the name, which may be cut short.", () => {
    const labels = ["openai:gpt-test · 1", "openai:gpt-test · 2", "a\nb · c", ""];
    const { all } = open(view, new Kernel({ ...META, labels }));
    const names = all(".l0-name b");
    expect(names.map((el) => el.title)).toEqual(labels);
    expect(names.map((el) => [...el.childNodes].map((node) => node.textContent))).toEqual([
      ["openai:gpt-test", " · 1"],
      ["openai:gpt-test", " · 2"],
      ["a\nb · c"],
      [""],
    ]);
  });

  test("shows what was put together of several answers.", () => {
    const { kernel, find } = open(view);
    kernel.say(null, ["st", "complete", verdict({ winner: null, text: "Oslo" }) as any]);
    frame();
    expect(find(".l0-together").textContent).toBe("TogetherOslo");
  });

  test("tells a failure of one run in its column, and goes on.", () => {
    const { kernel, all } = open(view);
    kernel.say(0, ["st", "failed", { error: { type: "APIError", message: "HTTP 401" } }]);
    kernel.say(1, ["st", "streaming"], ["d", "still here"]);
    frame();
    expect(all(".l0-card")[0]!.dataset.status).toBe("failed");
    expect(all(".l0-card")[0]!.textContent).toContain("APIErrorHTTP 401");
    expect(all(".l0-answer")[1]!.textContent).toBe("still here");
  });

  test("lists what was found in an answer, in its column.", () => {
    const { kernel, all } = open(view);
    const violations = [{ rule: "no_todo", message: "left over", position: 4, severity: "warning" }];
    kernel.say(1, ["d", "Hello"], ["e", [init, ["GUARDRAIL_RULE_RESULT", 20, { violations }]]]);
    frame();
    expect(all(".l0-card .l0-findings").map((el) => el.textContent)).toEqual([
      "",
      "no todo: left over (at character 4)",
    ]);
  });

  test("is dressed with what the kernel hands over, and tells it of each answer.", async () => {
    const { kernel, all } = open(view);
    kernel.say(1, ["d", "Hello"]);
    frame();
    const [root, model, css, told] = await dressing(kernel.model);
    expect([root.className, model, css]).toEqual(["l0-view l0-board", kernel.model, ".x{}"]);
    expect(all(".l0-answer").map((el) => told(el).content)).toEqual(["", "Hello"]);
  });

  test("shows what was withdrawn of an attempt.", () => {
    const { kernel, all } = open(view);
    kernel.say(0, ["d", "Hello"], ["e", [init, tokens(10, 0, 4)]]);
    kernel.say(
      0,
      ["r", 0],
      ["e", [["RESTART", 60, { kept_chars: 0, kept_tokens: 0, discarded_chars: 5, reason: "timeout" }]]],
    );
    frame();
    expect(all(".l0-cut")[0]!.textContent).toBe("attempt 1 · withdrawn after 4 tokens: timeoutHello");
  });

  test("asks for what was lost of one run, and for that run alone.", () => {
    const { kernel, all } = open(view);
    kernel.say(0, ["d", "a"]);
    kernel.model.sent.length = 0;
    vi.advanceTimersByTime(2500);
    kernel.skip(0);
    kernel.say(0, ["d", "c"]);
    expect(kernel.model.sent).toContainEqual({ type: "sync", have: 1, card: 0 });
    const state = { content: "abc", events: [], status: "streaming", meta: {}, q: 3 };
    kernel.model.emit("msg:custom", { cards: [[0, { q: 3, ops: [["s", state]] }]] });
    frame();
    expect(all(".l0-answer")[0]!.textContent).toBe("abc");
  });

  test("shows a saved board without a kernel.", () => {
    const card = (content: string, status: string) => ({
      content,
      status,
      events: [],
      meta: {},
      rev: 4,
    });
    const kernel = new Kernel(verdict() as any, {
      status: "complete",
      rev: 2,
      cards: [card("slow", "aborted"), card("quick", "complete")],
    });
    kernel.model.widget_manager = { kernel: null };
    const { all } = open(view, kernel);
    expect(all(".l0-answer").map((el) => el.textContent)).toEqual(["slow", "quick"]);
    expect(all(".l0-badge")[1]!.textContent).toBe("✓ winner");
  });

  test("Stop is heard once; a silent kernel is interrupted.", () => {
    const { kernel, button } = open(view);
    const interrupt = vi.fn();
    kernel.model.widget_manager.kernel = { interrupt };
    kernel.say(null, ["st", "streaming"]);
    frame();
    expect(button.disabled).toBe(false);
    button.click();
    button.click();
    frame();
    expect(kernel.model.sent.filter((m) => m.type === "abort")).toEqual([{ type: "abort" }]);
    expect(button.textContent).toBe("stopping…");
    expect(interrupt).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1600);
    expect(interrupt).toHaveBeenCalledOnce();
  });

  test("leaves nothing behind.", () => {
    const { kernel, el, end } = open(view);
    end();
    expect(el.children).toHaveLength(0);
    expect(kernel.model.listeners).toBe(0);
    kernel.say(0, ["d", "late"]);
    vi.advanceTimersByTime(1000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each((corpus as string[]).map((text) => [text]))(
    "draws untrusted text as text: %s",
    (text: string) => {
      const meta = { ...META, format: "markdown", labels: [text, "b"] };
      const { kernel, el } = open(view, new Kernel(meta));
      kernel.say(0, ["d", text], ["st", "complete"]);
      const end = { ...verdict({ text, says: text, winner: null }), ...meta };
      kernel.say(null, ["st", "complete", end as any]);
      frame();
      expect(el.querySelectorAll("script, iframe, img, object, embed, form, svg, style")).toHaveLength(0);
      for (const node of el.querySelectorAll("*"))
        for (const { name } of node.attributes) expect(name).not.toMatch(/^on|src|srcdoc/);
    },
  );
});

const MAP = {
  total: 200,
  done: 50,
  ok: 44,
  failed: 4,
  skipped: 2,
  reused: 4,
  busy: 8,
  retries: 3,
  limit: 8,
  elapsed_ms: 2000,
  eta_ms: 6000,
  rate: 24.4,
  used: 12345,
  cost: "0.12",
  stopped: null,
  errors: [["HTTP 500 <b>", 4, "rows 1, 2, 3, 9"]],
};

describe.each(MODULES)("The progress of a map (%s)", (_, view) => {
  const start = (facts: Record<string, any> = {}) => {
    const meta = { kind: "map", model: "gpt", can_stop: true, live: true, map: { ...MAP, ...facts } };
    const opened = open(view, new Kernel(meta, { status: "streaming" }));
    const value = (name: string) =>
      opened.all(".l0-values > div").find((el) => el.firstChild!.textContent === name)!.lastChild!
        .textContent;
    return { ...opened, value };
  };

  test("has a bar, numbers, and each kind of failure once.", () => {
    const { find, all, value } = start();
    expect(find("[role=progressbar]").getAttribute("aria-valuenow")).toBe("24");
    expect(find(".l0-done").textContent).toBe("48 of 200 rows done · 24 % · about 6.0 s left");
    expect(["ok", "failed", "retried", "reused", "skipped"].map(value)).toEqual(
      ["44", "4", "3", "4", "2"],
    );
    expect(["in flight", "rows/s", "tokens used", "cost"].map(value)).toEqual(
      ["8 of 8", "24", "12,345", "0.12"],
    );
    expect(all("li").map((el) => el.textContent)).toEqual(["4 rows: HTTP 500 <b> rows 1, 2, 3, 9"]);
    expect(all(".l0-meter > i").map((el) => el.style.width)).toEqual(
      ["20%", "2%", "2%", "1%", "4%"],
    );
  });

  test("moves with the numbers, and rests at the end.", () => {
    const { kernel, find, value } = start();
    const done = { ...MAP, done: 200, ok: 196, skipped: 0, busy: 0, eta_ms: null };
    kernel.say(null, ["st", "complete", { live: false, map: done } as any]);
    frame();
    expect(find(".l0-done").textContent).toBe("200 of 200 rows done · 100 %");
    expect(value("in flight")).toBe("–");
    expect(find("[role=status]").textContent).toContain("complete");
  });

  test("counts without a total, and says why it stopped.", () => {
    const { find } = start({ total: null, stopped: "the budget is used up", eta_ms: null });
    expect(find(".l0-done").textContent).toBe("48 rows done · the budget is used up");
    expect(find("[role=progressbar]").hasAttribute("aria-valuenow")).toBe(false);
  });

  test("an empty map is done.", () => {
    const { find } = start({ total: 0, done: 0, ok: 0, failed: 0, reused: 0, skipped: 0, busy: 0, errors: [] });
    expect(find(".l0-done").textContent).toContain("0 of 0 rows done");
  });
});

describe("Spots", () => {
  const mark = (html: Node[], list: Array<[number, number]>) => {
    const el = document.createElement("div");
    el.append(...html);
    spots(el, list, "why");
    return [...el.querySelectorAll("mark")].map((each) => each.textContent);
  };
  const bold = (text: string) => {
    const el = document.createElement("b");
    el.textContent = text;
    return el;
  };
  test("cross elements, and blanks between their words.", () => {
    expect(mark([new Text("a b"), bold("c d"), new Text(" e")], [[1, 4]])).toEqual(["b", "c d"]);
    expect(mark([new Text("one two three")], [[3, 11]])).toEqual(["two three"]);
  });
  test("count what is beyond the basic plane as one.", () => {
    expect(mark([new Text("🎉 x y")], [[1, 2]])).toEqual(["x"]);
  });
  test("may be none.", () => {
    expect(mark([new Text("abc")], [])).toEqual([]);
  });
});
