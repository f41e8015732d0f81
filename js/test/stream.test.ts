import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
// @ts-expect-error the build has no types; it must behave like the source
import built from "../../src/l0/notebook/static/stream.js";
import type { Row } from "../src/lib/wire";
import source from "../src/stream";
import { dressing, FakeKernel, META } from "./fake";

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

/** Let everything that was asked for be drawn. */
const frame = () => vi.advanceTimersByTime(20);

function open(
  view: typeof source,
  traits: Record<string, any> = {},
  kernel = new FakeKernel(traits),
) {
  const el = document.body.appendChild(document.createElement("div"));
  const end = view.render({ model: kernel.model, el });
  kernel.heartbeat();
  frame();
  const find = (selector: string) => el.querySelector(selector) as HTMLElement;
  const read = (selector: string) => find(selector).textContent;
  return { kernel, el, end, find, read, button: find("button") as HTMLButtonElement };
}

const init = (t: number, attempt: number, fallback_index = 0): Row => [
  "STREAM_INIT",
  t,
  { attempt, fallback_index },
];
const tokens = (t: number, start: number, count: number, duration_ms = 100): Row => [
  "TOKENS",
  t,
  { start, count, duration_ms },
];

/** N4: a drop after 40 tokens, a stall that times out, and the final text. */
function n4(kernel: FakeKernel): void {
  kernel.push(["e", [["SESSION_START", 0, { options: {} }], init(1, 1)]]);
  kernel.push(["st", "streaming"], ["d", "The **first** answer"], ["e", [tokens(120, 0, 40, 400)]]);
  kernel.push([
    "e",
    [
      ["NETWORK_ERROR", 600, { error: "peer closed", network_type: "connection_dropped" }],
      ["ERROR", 600, { error: "peer closed", error_type: "NetworkError" }],
      [
        "RETRY_ATTEMPT",
        600,
        {
          attempt: 1,
          max_attempts: 3,
          reason: "network_error",
          delay_ms: 500,
          counts_toward_limit: false,
        },
      ],
    ],
  ]);
  kernel.push(["st", "retrying"]);
  kernel.push(
    ["r", 0],
    [
      "e",
      [
        [
          "RESTART",
          1100,
          { kept_chars: 0, kept_tokens: 0, discarded_chars: 20, reason: "network_error" },
        ],
        init(1101, 2),
      ],
    ],
  );
  kernel.push(["st", "streaming"], ["d", "Hello, wor"], ["e", [tokens(1300, 0, 12, 300)]]);
  kernel.push([
    "e",
    [
      [
        "TIMEOUT_TRIGGERED",
        2400,
        { timeout_type: "inter_token", configured_ms: 800, elapsed_ms: 801, token_index: 12 },
      ],
      ["ERROR", 2400, { error: "no token", error_type: "TimeoutError" }],
      [
        "RETRY_ATTEMPT",
        2400,
        {
          attempt: 2,
          max_attempts: 3,
          reason: "timeout",
          delay_ms: 100,
          counts_toward_limit: false,
        },
      ],
    ],
  ]);
  kernel.push(
    ["e", [["RESUME_START", 2500, { checkpoint: "Hello,", checkpoint_length: 6, token_count: 8 }]]],
    [
      "e",
      [
        ["RESTART", 2500, { kept_chars: 6, kept_tokens: 8, discarded_chars: 4, reason: "timeout" }],
        init(2501, 3),
      ],
    ],
    ["r", 6],
  );
  kernel.push(["d", " world."], ["e", [tokens(2700, 8, 4, 100)]]);
  kernel.push([
    "e",
    [
      ["STREAM_FINISHED", 2800, { finish_reason: "stop", model: "sim-1" }],
      ["SESSION_END", 2810, { outcome: "completed", duration_ms: 2810 }],
      ["COMPLETE", 2810, {}],
    ],
  ]);
  kernel.push(["st", "complete"]);
}

describe.each(MODULES)("The stream view (%s)", (_, view) => {
  test("tells the story of a drop, a stall and the final text.", () => {
    const { kernel, el, read } = open(view);
    n4(kernel);
    frame();
    expect(read(".l0-answer")).toBe("Hello, world.");
    expect([...el.querySelectorAll(".l0-cut")].map((cut) => cut.textContent)).toEqual([
      "attempt 1 · withdrawn after 40 tokens: connection droppedThe **first** answer",
      "attempt 2 · last 4 of 12 tokens withdrawn: gap timeout wor",
    ]);
    expect(el.querySelectorAll(".l0-cut del")).toHaveLength(2);
    expect(read(".l0-head b")).toBe("complete");
    expect(read(".l0-reading")).toBe("3 attempts · 2 recovered · 12 tokens in 2.8 s");
    expect(read(".l0-facts")).toBe("sim:story · attempt 3");
    expect(read(".l0-metrics")).toBe(
      "2.8 sfirst token 1.3 s12 tokens30.0 tok/s".replace("30.0", "30"),
    );
  });

  test("draws a snapshot of the same run to the same page.", () => {
    const live = open(view);
    n4(live.kernel);
    frame();
    const sent: Row[] = [];
    const again = new FakeKernel();
    again.model.on("msg:custom", ({ ops }) => {
      for (const [kind, rows] of ops) if (kind === "e") sent.push(...rows);
    });
    n4(again);
    const texts = ["The **first** answer", " wor"];
    const events = sent.map(
      (row): Row =>
        row[0] === "RESTART" ? [row[0], row[1], { ...row[2], text: texts.shift() }] : row,
    );
    const stored = open(view, {
      content: "Hello, world.",
      events,
      status: "complete",
      rev: 12,
      meta: { live: false },
    });
    for (const part of [".l0-answer", ".l0-cuts", ".l0-head", ".l0-line"])
      expect(stored.find(part).innerHTML, part).toBe(live.find(part).innerHTML);
    expect([...stored.el.querySelectorAll("path")].map((p) => p.getAttribute("d"))).toEqual(
      [...live.el.querySelectorAll("path")].map((p) => p.getAttribute("d")),
    );
    expect(stored.kernel.syncs).toEqual([]);
  });

  test("draws once a frame, however many messages come.", () => {
    const { kernel, find } = open(view);
    const request = vi.spyOn(globalThis, "requestAnimationFrame");
    for (let i = 0; i < 100; i++) kernel.push(["d", "x"]);
    expect(find(".l0-answer").textContent).toBe("");
    expect(request).toHaveBeenCalledTimes(1);
    frame();
    expect(find(".l0-answer").textContent).toBe("x".repeat(100));
  });

  test("draws without frames, as on a hidden page.", () => {
    vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(1);
    const { kernel, read } = open(view);
    kernel.push(["d", "seen"]);
    vi.advanceTimersByTime(400);
    expect(read(".l0-answer")).toBe("seen");
  });

  test("keeps what stands over a cut in UTF-16 units.", () => {
    const { kernel, read } = open(view, { meta: { format: "text" } });
    kernel.push(["d", "a🎉b\nmore"]);
    kernel.push(["r", 3]);
    kernel.push(["d", "c"]);
    frame();
    expect(read(".l0-answer")).toBe("a🎉c");
  });

  test("shows the same in two views of one model.", () => {
    const first = open(view);
    const second = open(view, {}, first.kernel);
    n4(first.kernel);
    frame();
    expect(second.el.innerHTML).toBe(first.el.innerHTML);
    first.end();
    expect(document.querySelectorAll(".l0-view")).toHaveLength(1);
    first.kernel.push(["d", "!"]);
    frame();
    expect(second.read(".l0-answer")).toBe("Hello, world.!");
  });

  test("heals after lost messages.", () => {
    const { kernel, read } = open(view);
    kernel.push(["d", "a"]);
    kernel.lose();
    kernel.push(["d", "c"]);
    kernel.snapshot("abc", [init(1, 1), tokens(100, 0, 3)], "streaming");
    kernel.push(["d", "d"]);
    frame();
    expect(read(".l0-answer")).toBe("abcd");
    expect(read(".l0-metrics")).toContain("3 tokens");
  });

  test("heals without drawing again what stands.", () => {
    const { kernel, find, read } = open(view);
    kernel.push(["d", "one\n\ntwo\n\nthr"]);
    frame();
    const first = find(".l0-answer").firstChild;
    kernel.lose();
    kernel.push(["d", "?"]);
    kernel.snapshot("one\n\ntwo\n\nthree", [init(1, 1)], "streaming");
    frame();
    expect(read(".l0-answer")).toBe("onetwothree");
    expect(find(".l0-answer").firstChild).toBe(first);
    kernel.lose();
    kernel.push(["d", "?"]);
    kernel.snapshot("other", [init(1, 1)], "streaming");
    kernel.push(["d", "wise"]);
    frame();
    expect(read(".l0-answer")).toBe("otherwise");
  });

  describe("Stop", () => {
    test("says so at once, tells the kernel once, and needs no interrupt when it is heard.", () => {
      const { kernel, button, read } = open(view);
      const interrupt = vi.fn();
      kernel.model.widget_manager.kernel = { interrupt };
      kernel.push(["st", "streaming"]);
      frame();
      expect([button.textContent, button.disabled]).toEqual(["stop", false]);
      button.click();
      button.click();
      frame();
      expect([button.textContent, read(".l0-head b")]).toEqual(["stopping…", "stopping…"]);
      expect(kernel.model.sent.filter((m) => m.type === "abort")).toHaveLength(1);
      kernel.push(["st", "aborted"]);
      vi.advanceTimersByTime(3000);
      expect(interrupt).not.toHaveBeenCalled();
      expect(read(".l0-head b")).toBe("stopped");
    });

    test("interrupts a kernel that does not answer in 1.5 seconds.", () => {
      const { kernel, button } = open(view);
      const interrupt = vi.fn();
      kernel.model.widget_manager.kernel = { interrupt };
      button.click();
      vi.advanceTimersByTime(1400);
      expect(interrupt).not.toHaveBeenCalled();
      vi.advanceTimersByTime(200);
      expect(interrupt).toHaveBeenCalledTimes(1);
    });

    test("never interrupts where the run says so, and bears a front-end without a kernel.", () => {
      const quiet = open(view, { meta: { interrupt: false } });
      const interrupt = vi.fn();
      quiet.kernel.model.widget_manager.kernel = { interrupt };
      quiet.button.click();
      const bare = open(view);
      delete (bare.kernel.model as any).widget_manager;
      bare.button.click();
      vi.advanceTimersByTime(3000);
      expect(interrupt).not.toHaveBeenCalled();
    });

    test("is not offered when the run cannot be stopped, has no kernel, or was never heard.", () => {
      const ended = open(view, { meta: { can_stop: false } });
      const stored = open(view, { meta: { live: false } });
      const alone = new FakeKernel();
      alone.model.widget_manager.kernel = null;
      const el = document.body.appendChild(document.createElement("div"));
      view.render({ model: alone.model, el });
      const silent = document.body.appendChild(document.createElement("div"));
      view.render({ model: new FakeKernel().model, el: silent });
      frame();
      for (const root of [ended.el, stored.el, el, silent])
        expect((root.querySelector("button") as HTMLButtonElement).disabled).toBe(true);
    });

    test("becomes Copy at the end, on the same button, so that the focus stays.", () => {
      const { kernel, button } = open(view);
      const writeText = vi.fn(() => Promise.resolve());
      vi.stubGlobal("navigator", { clipboard: { writeText } });
      kernel.push(["d", "answer"]);
      frame();
      button.focus();
      kernel.push(["st", "complete"]);
      frame();
      expect(document.activeElement).toBe(button);
      expect([button.textContent, button.disabled]).toEqual(["copy", false]);
      button.click();
      expect(writeText).toHaveBeenCalledWith("answer");
      expect(kernel.model.sent.filter((m) => m.type === "abort")).toEqual([]);
      vi.unstubAllGlobals();
    });
  });

  test("shows a reopened notebook's state calmly: no timer runs, nothing is asked.", () => {
    const kernel = new FakeKernel({
      status: "streaming",
      content: "half an ans",
      rev: 4,
      events: [init(1, 1), tokens(50, 0, 3)],
    });
    kernel.model.widget_manager.kernel = null;
    const el = document.body.appendChild(document.createElement("div"));
    view.render({ model: kernel.model, el });
    vi.advanceTimersByTime(30_000);
    expect(el.querySelector(".l0-answer")!.textContent).toBe("half an ans");
    expect(el.querySelector(".l0-head b")!.textContent).toBe("not connected");
    expect(el.querySelector(".l0-metrics")!.firstChild!.textContent).toBe("0.15 s");
    expect(kernel.model.sent).toEqual([]);
  });

  test("ticks while the run waits, and stops ticking at the end.", () => {
    const { kernel, read } = open(view);
    kernel.push(["e", [init(0, 1)]]);
    frame();
    vi.advanceTimersByTime(2000);
    kernel.heartbeat();
    vi.advanceTimersByTime(500);
    expect(parseFloat(read(".l0-metrics")!)).toBeGreaterThan(2.3);
    kernel.push(
      ["e", [["SESSION_END", 2600, { outcome: "completed", duration_ms: 2600 }]]],
      ["st", "complete"],
    );
    vi.advanceTimersByTime(5000);
    expect(read(".l0-metrics")).toBe("2.6 s");
    const draws = vi.spyOn(globalThis, "requestAnimationFrame");
    vi.advanceTimersByTime(5000);
    expect(draws).not.toHaveBeenCalled();
  });

  test("believes the numbered messages over a status that was overtaken.", () => {
    const { kernel, read } = open(view);
    kernel.push(["st", "streaming"]);
    kernel.model.update({ status: "waiting" });
    frame();
    expect(read(".l0-head b")).toBe("streaming");
    kernel.model.update({ status: "complete" });
    kernel.model.update({ status: "streaming" });
    frame();
    expect(read(".l0-head b")).toBe("complete");
  });

  test("is dressed with what the kernel hands over, and tells it what stands.", async () => {
    const { kernel, find } = open(view);
    kernel.push(["d", "Hello"]);
    frame();
    const [root, model, css, told, signal] = await dressing(kernel.model);
    expect([root, model, css]).toEqual([find(".l0-view"), kernel.model, ".x{}"]);
    expect(told(find(".l0-answer"))).toMatchObject({ content: "Hello", violations: [] });
    expect(signal.aborted).toBe(false);
  });

  test("names in a hint are code, and a failure without words is its name.", () => {
    const { kernel, find, read } = open(view);
    const error = { type: "SchemaValidationError", message: "", hint: "See `errors`; `x` <b>." };
    kernel.push(["st", "failed", { error }]);
    frame();
    expect(read("div.l0-error")).toBe("SchemaValidationErrorSee errors; x <b>.");
    expect(find(".l0-error .l0-hint").querySelectorAll("code")).toHaveLength(2);
    expect(find("div.l0-error").querySelectorAll("p")).toHaveLength(1);
  });

  test("draws the parts beside the answer.", () => {
    const { kernel, read } = open(view, {
      meta: { format: "text", notes: ["{name} is not defined"] },
    });
    kernel.push(["d", "🎉"]);
    kernel.push([
      "e",
      [
        [
          "STREAM_EVENT",
          5,
          { event: { type: "message", text: "Let me think.", data: { kind: "reasoning" } } },
        ],
        [
          "STREAM_EVENT",
          6,
          { event: { type: "progress", progress: { percent: 41.6, message: "half" } } },
        ],
        [
          "STREAM_EVENT",
          6,
          { event: { type: "data", payload: { content_type: "image", mime_type: "image/png" } } },
        ],
        [
          "GUARDRAIL_RULE_RESULT",
          7,
          {
            violations: [
              {
                rule: "custom_pattern",
                message: "forbidden",
                severity: "error",
                position: 2,
                suggestion: "Say it kindly.",
              },
            ],
          },
        ],
        [
          "TOOL_REQUESTED",
          8,
          { tool_name: "look_up", tool_call_id: "1", arguments: { q: "x" }, index: 0 },
        ],
        [
          "TOOL_RESULT",
          9,
          { tool_name: "look_up", tool_call_id: "1", result: { a: 1 }, duration_ms: 1 },
        ],
      ],
    ]);
    frame();
    expect(read(".l0-answer")).toBe("🎉");
    kernel.push(["d", " bad word here"]);
    frame();
    expect(read(".l0-notes")).toBe("{name} is not defined");
    expect(read(".l0-think")).toBe("Reasoning · 13 charactersLet me think.");
    expect(read(".l0-findings")).toBe("custom pattern: forbidden (at character 2) Say it kindly.");
    expect(read(".l0-answer")).toBe("🎉 bad word here");
    expect(read(".l0-tools summary")).toContain("look_up · result");
    expect(read(".l0-tools")).toContain('"q": "x"');
    expect(read(".l0-tools")).toContain("image/png");
    expect(read(".l0-facts")).toBe("sim:story · 42 % · half");
    kernel.push(["d", " and on"]);
    frame();
    expect(read(".l0-answer")).toBe("🎉 bad word here and on");
  });

  test("says what to do when a run has failed.", () => {
    const { kernel, read } = open(view);
    kernel.push(["e", [init(0, 1), ["ERROR", 300, { error: "503", error_type: "ServerError" }]]]);
    kernel.push([
      "st",
      "failed",
      { error: { type: "ServerError", message: "503", hint: "Add a fallback." } },
    ]);
    frame();
    expect(read(".l0-error")).toBe("ServerError503Add a fallback.");
    expect(read(".l0-reading")).toBe("failed after 0.30 s · 0 tokens kept");
  });

  test("says only changes of status aloud.", () => {
    const { kernel, read, find } = open(view);
    expect(find(".l0-voice").getAttribute("role")).toBe("status");
    kernel.push(["st", "streaming"]);
    frame();
    expect(read(".l0-voice")).toBe("streaming");
    const changes = vi.fn();
    new MutationObserver(changes).observe(find(".l0-voice"), {
      childList: true,
      characterData: true,
      subtree: true,
    });
    for (let i = 0; i < 5; i++) {
      kernel.push(["d", "word "], ["e", [tokens(i * 10, i, 1)]]);
      frame();
    }
    expect(changes).not.toHaveBeenCalled();
    kernel.push(["st", "complete"]);
    frame();
    expect(read(".l0-voice")).toMatch(/^complete · 5 tokens in /);
  });

  describe("Keys", () => {
    test("stay in the view unless they belong to the browser.", () => {
      const { find, el } = open(view);
      const heard = vi.fn();
      el.addEventListener("keydown", (event) => heard((event as KeyboardEvent).key));
      const press = (key: string, more = {}) => {
        const event = new KeyboardEvent("keydown", {
          key,
          bubbles: true,
          cancelable: true,
          ...more,
        });
        find("button").dispatchEvent(event);
        return event;
      };
      press("b");
      press("d");
      expect(heard).not.toHaveBeenCalled();
      expect(press("Tab").defaultPrevented).toBe(false);
      expect(press("Enter").defaultPrevented).toBe(false);
      press("s", { ctrlKey: true });
      expect(heard).toHaveBeenCalledTimes(1);
    });

    test("that are plain are marked for a notebook that listens in the capture phase.", () => {
      const { find } = open(view);
      const seen: boolean[] = [];
      const listener = (event: Event) =>
        seen.push(!!(event.target as Element).closest("[data-lm-suppress-shortcuts]"));
      document.addEventListener("keydown", listener, true);
      find("button").dispatchEvent(new KeyboardEvent("keydown", { key: "b", bubbles: true }));
      find("button").dispatchEvent(
        new KeyboardEvent("keydown", { key: "s", metaKey: true, bubbles: true }),
      );
      document.removeEventListener("keydown", listener, true);
      expect(seen).toEqual([true, false]);
    });
  });

  test("leaves nothing behind: no listener, no timer, no element.", () => {
    const add = vi.spyOn(EventTarget.prototype, "addEventListener");
    const { kernel, end, el, button } = open(view);
    kernel.push(["st", "streaming"], ["d", "x"]);
    frame();
    button.click();
    for (const [name, , options] of add.mock.calls)
      if (name !== "abort")
        expect((options as AddEventListenerOptions).signal).toBeInstanceOf(AbortSignal);
    end();
    vi.advanceTimersByTime(5000);
    expect(kernel.model.listeners).toBe(0);
    expect(el.childElementCount).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends with the signal of the front-end, too.", () => {
    const control = new AbortController();
    const kernel = new FakeKernel();
    const el = document.createElement("div");
    view.render({ model: kernel.model, el, signal: control.signal });
    expect(kernel.model.listeners).toBeGreaterThan(0);
    control.abort();
    expect([kernel.model.listeners, el.childElementCount]).toEqual([0, 0]);
  });

  test("follows the end of the answer only while the reader is there.", () => {
    const { kernel, find } = open(view);
    const scroll = find(".l0-scroll");
    let top = 0;
    const set = vi.fn((value: number) => (top = Math.min(value, 500)));
    Object.defineProperties(scroll, {
      scrollHeight: { value: 1000 },
      clientHeight: { value: 500 },
      scrollTop: { get: () => top, set },
    });
    kernel.push(["d", "a"]);
    frame();
    expect(top).toBe(500);
    top = 100;
    scroll.dispatchEvent(new Event("scroll"));
    set.mockClear();
    kernel.push(["d", "b"]);
    frame();
    expect(set).not.toHaveBeenCalled();
    top = 490;
    scroll.dispatchEvent(new Event("scroll"));
    kernel.push(["d", "c"]);
    frame();
    expect(top).toBe(500);
  });

  test("is at the end of the answer when the run is over, where the reader was.", () => {
    const { kernel, find } = open(view);
    const set = vi.fn();
    Object.defineProperty(find(".l0-scroll"), "scrollTop", { get: () => 0, set });
    kernel.push(["d", "a"]);
    frame();
    set.mockClear();
    kernel.push(["d", "b"], ["st", "complete"]);
    frame();
    expect(set).toHaveBeenCalledOnce();
    kernel.push(["st", "complete"]);
    frame();
    expect(set).toHaveBeenCalledOnce();
  });

  test("opens a run that is over at the beginning of its answer.", () => {
    const set = vi.spyOn(Element.prototype, "scrollTop", "set");
    open(view, { status: "complete", content: "a", rev: 1, meta: { ...META, live: false } });
    expect(set).not.toHaveBeenCalled();
  });

  test("keeps the room of withdrawn text for what comes, until the run is over.", () => {
    const { kernel, find } = open(view);
    const scroll = find(".l0-scroll");
    Object.defineProperty(scroll, "offsetHeight", { value: 300 });
    kernel.push(["d", "The first answer"]);
    frame();
    expect(scroll.style.minHeight).toBe("");
    kernel.push(["r", 0], ["d", "The"]);
    frame();
    expect(scroll.style.minHeight).toBe("300px");
    kernel.push(["st", "failed"]);
    frame();
    expect(scroll.style.minHeight).toBe("");
  });

  test("changes to the format it is told.", () => {
    const { kernel, read, find } = open(view);
    kernel.push(["d", "**a**"]);
    frame();
    expect(find(".l0-answer").innerHTML).toBe("<p><strong>a</strong></p>");
    kernel.model.update({ meta: { ...META, format: "json" } });
    frame();
    expect(read(".l0-answer")).toBe("**a**");
    expect(find(".l0-answer").className).toBe("l0-answer l0-json");
  });
});
