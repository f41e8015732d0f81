import { afterEach, beforeEach, expect, test, vi } from "vitest";
// @ts-expect-error the build has no types; it must behave like the source
import built from "../../src/l0/notebook/static/explorer.js";
import source from "../src/explorer";
import type { Row } from "../src/lib/wire";
import { dressing, FakeModel } from "./fake";
import corpus from "./xss.json";

const MODULES = [
  ["source", source],
  ["build", built as typeof source],
] as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

const line = (at: number, model = "sim:story", prompt = `Prompt ${at}`) => ({
  id: `run-${at}`,
  status: "complete",
  started: 1_700_000_000_000 + at * 1000,
  cells: ["complete", model, prompt, "1", `1,00${at}`, "0.25 s", "2.5 s", ""],
});
const ROWS: Row[] = [
  ["SESSION_START", 0, { options: {} }],
  ["STREAM_INIT", 0, { attempt: 1, fallback_index: 0 }],
  [
    "TOKENS",
    100,
    { start: 0, count: 2, duration_ms: 100, text: "Hello ", n: [3, 3], at: [0, 100] },
  ],
  ["ERROR", 300, { error: "reset by peer", error_type: "NetworkError" }],
  [
    "RESTART",
    400,
    { kept_chars: 0, kept_tokens: 0, discarded_chars: 6, reason: "network_error", text: "Hello " },
  ],
  ["STREAM_INIT", 400, { attempt: 2, fallback_index: 0 }],
  [
    "TOKENS",
    500,
    { start: 0, count: 2, duration_ms: 300, text: "Good night", n: [5, 5], at: [0, 300] },
  ],
  ["SESSION_END", 1000, { duration_ms: 1000, outcome: "completed" }],
];

/** What the kernel would say. */
class Kernel {
  model: FakeModel;
  lines: Array<ReturnType<typeof line>>;
  mute = false;
  rows = ROWS;
  facts: Record<string, unknown> = {};
  constructor(count: number, traits: Record<string, unknown> = {}) {
    this.lines = Array.from({ length: count }, (_, i) => line(i));
    this.model = new FakeModel({
      mode: "runs",
      ids: [],
      texts: [],
      can_keep: true,
      table: this.table({ from: 0, count: 100 }),
      ...traits,
    });
    this.model.send = (message: any) => {
      this.model.sent.push(message);
      if (!this.mute) this.hear(message);
    };
  }
  table({ from, count, text = "" }: { from: number; count: number; text?: string }) {
    const found = this.lines.filter((each) => each.cells[2]!.includes(text));
    return {
      from,
      rows: found.slice(from, from + count),
      total: found.length,
      all: this.lines.length,
      empty: this.lines.length ? "No run matches." : "No runs yet",
      statuses: ["complete", "stopped"],
      models: ["sim:story"],
      costs: false,
    };
  }
  hear(message: any): void {
    const answer = {
      list: () => this.table(message),
      open: () => ({
        id: message.id,
        part: message.part,
        parts: 2,
        rows: message.part ? this.rows.slice(4) : this.rows.slice(0, 4),
        facts: {
          id: message.id,
          status: "complete",
          model: "sim:story",
          prompt: "Say something",
          notes: [],
          error: null,
          attempts: 2,
          ts: 1_700_000_000_000,
          name: `sim:story · ${message.id}`,
          closing: "complete · 2 attempts · 2 tokens in 1.0 s",
          texts: [
            { text: "attempt 1", side: [message.id, 1] },
            { text: "attempt 2", side: [message.id, 2] },
            { text: "the text that stands", side: [message.id, 0] },
          ],
          ...this.facts,
        },
      }),
      diff: () => ({
        parts: [
          [false, "Hello ", "Good "],
          [true, "night", "night"],
        ],
        alike: "half the same",
      }),
      keep: () => undefined,
    }[message.type as string]!();
    if (answer) this.say({ type: message.type, n: message.n, ...answer });
  }
  say(answer: object): void {
    this.model.emit("msg:custom", answer);
  }
  asked(type: string): any[] {
    return this.model.sent.filter((message) => message.type === type);
  }
}

const frame = () => vi.advanceTimersByTime(320);

function open(view: typeof source, kernel: Kernel) {
  const el = document.body.appendChild(document.createElement("div"));
  const end = view.render({ model: kernel.model, el });
  frame();
  const find = (selector: string) => el.querySelector(selector) as HTMLElement;
  const all = (selector: string) => [...el.querySelectorAll(selector)] as HTMLElement[];
  const named = (text: string) =>
    all("button").find((each) => each.textContent!.startsWith(text)) as HTMLButtonElement;
  const tab = (text: string) =>
    all("[role=tab]").find((each) => each.textContent!.startsWith(text)) as HTMLElement;
  const press = (target: HTMLElement, key: string) => {
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    frame();
  };
  const click = (target: HTMLElement) => {
    target.click();
    frame();
  };
  const type = (value: string) => {
    const input = find("input[type=search]") as HTMLInputElement;
    input.value = value;
    input.dispatchEvent(new Event("input"));
    frame();
  };
  const slide = (share: number) => {
    const input = find("input[type=range]") as HTMLInputElement;
    input.value = `${share * 1000}`;
    input.dispatchEvent(new Event("input"));
    frame();
  };
  return { el, end, find, all, named, tab, press, click, type, slide };
}

test.each(MODULES)("%s: an empty log says so", (_, view) => {
  const { find } = open(view, new Kernel(0));
  expect(find(".l0-empty").textContent).toContain("No runs yet");
  expect(find(".l0-grid").hidden).toBe(true);
});

test.each(MODULES)("%s: what the kernel hands over is told what a run says by now", async (_, view) => {
  const kernel = new Kernel(3);
  const { all, find, click } = open(view, kernel);
  click(all(".l0-row")[0]!);
  frame();
  const [root, , css, told] = await dressing(kernel.model);
  expect([root.className, css]).toEqual(["l0-view l0-explorer", ".x{}"]);
  const answer = find(".l0-run .l0-raw");
  expect(told(answer).content).toBe(answer.textContent);
  expect(answer.textContent).not.toBe("");
});

test.each(MODULES)("%s: a request without an answer is made again, and the view says so", (_, view) => {
  const kernel = new Kernel(3);
  const { find, type } = open(view, kernel);
  kernel.mute = true;
  type("2");
  const before = kernel.asked("list").length;
  expect(find(".l0-explorer").hasAttribute("data-lost")).toBe(false);
  vi.advanceTimersByTime(2600);
  expect(kernel.asked("list").length).toBe(before + 1);
  expect(find(".l0-explorer").hasAttribute("data-lost")).toBe(true);
  expect(find(".l0-voice").textContent).toContain("busy");
  kernel.mute = false;
  vi.advanceTimersByTime(2600);
  expect(find(".l0-explorer").hasAttribute("data-lost")).toBe(false);
  vi.advanceTimersByTime(10_000);
  expect(kernel.asked("list").length).toBe(before + 2);
});

test.each(MODULES)("%s: an answer that comes too late changes nothing", (_, view) => {
  const kernel = new Kernel(3);
  const { find, type } = open(view, kernel);
  kernel.mute = true;
  type("1");
  const stale = kernel.asked("list").at(-1).n;
  kernel.mute = false;
  type("2");
  kernel.say({ type: "list", n: stale, ...kernel.table({ from: 0, count: 9 }) });
  frame();
  expect(find(".l0-facts").textContent).toBe("1 of 3 runs");
});

test.each(MODULES)("%s: a run that can't be read is said", (_, view) => {
  const kernel = new Kernel(1);
  const { find, click, el } = open(view, kernel);
  kernel.mute = true;
  click(find(".l0-row"));
  kernel.say({ type: "open", n: kernel.asked("open")[0].n, error: "there is no run x in it" });
  expect(el.textContent).toContain("there is no run x in it");
  expect(find(".l0-player")).toBeNull();
});

test.each(MODULES)("%s: nothing becomes markup", (_, view) => {
  const kernel = new Kernel(0);
  kernel.lines = corpus.map((text, i) => line(i, text, text));
  kernel.model.traits.table = kernel.table({ from: 0, count: 100 });
  const text = corpus.join("\n");
  kernel.rows = [
    ...ROWS.slice(0, 7).map((row): Row => [row[0], row[1], { ...row[2], reason: text }]),
    ["TOKENS", 900, { start: 2, count: 1, duration_ms: 0, text, n: [text.length], at: [0] }],
  ];
  kernel.facts = { prompt: text, model: text, notes: [text], name: text, closing: text };
  const { el, find, click, tab } = open(view, kernel);
  click(find(".l0-row"));
  expect(find(".l0-answer").textContent).toContain(text);
  click(tab("Events"));
  click(tab("Attempts"));
  const tags = new Set([...el.querySelectorAll("*")].map((each) => each.localName));
  for (const tag of ["script", "img", "iframe", "a", "form", "style", "object", "math", "video"])
    expect(tags.has(tag), tag).toBe(false);
  for (const each of el.querySelectorAll("*"))
    for (const { name } of each.attributes) expect(name).not.toMatch(/^on|^src|^href/);
});

test.each(MODULES)("%s: of ten thousand runs only those in sight are on the page", (_, view) => {
  const kernel = new Kernel(10_000);
  const { find, all } = open(view, kernel);
  expect(all(".l0-row").length).toBeLessThan(40);
  expect(find(".l0-list").getAttribute("aria-rowcount")).toBe("10000");
  expect(find(".l0-all").style.height).toBe("280000px");
  find(".l0-list").scrollTop = 28 * 5000;
  find(".l0-list").dispatchEvent(new Event("scroll"));
  frame();
  frame();
  expect(all(".l0-row").length).toBeLessThan(40);
  expect(find(".l0-row").textContent).toContain("Prompt 49");
  const parts = kernel.asked("list").map(({ from }) => from);
  expect(parts.slice(1)).toEqual([4900, 5000]);
});

test.each(MODULES)("%s: the kernel filters and sorts", (_, view) => {
  const kernel = new Kernel(30);
  const { find, all, type, click, named } = open(view, kernel);
  type("Prompt 7");
  expect(kernel.asked("list").at(-1)).toMatchObject({ text: "Prompt 7", from: 0 });
  expect(all(".l0-row").length).toBe(1);
  expect(find(".l0-facts").textContent).toBe("1 of 30 runs");
  const select = find("select") as HTMLSelectElement;
  select.selectedIndex = 2;
  select.dispatchEvent(new Event("change"));
  expect(kernel.asked("list").at(-1)).toMatchObject({ status: "stopped", model: "" });
  select.selectedIndex = 0;
  select.dispatchEvent(new Event("change"));
  expect(kernel.asked("list").at(-1)).toMatchObject({ status: "" });
  const column = () => find(".l0-heads .l0-duration");
  click(named("Duration"));
  expect(kernel.asked("list").at(-1)).toMatchObject({ sort: "duration", down: true });
  expect(column().getAttribute("aria-sort")).toBe("descending");
  click(named("Duration"));
  expect(column().getAttribute("aria-sort")).toBe("ascending");
  click(named("Model"));
  expect(kernel.asked("list").at(-1)).toMatchObject({ sort: "model", down: false });
  type("nothing like it");
  expect(find(".l0-empty").textContent).toBe("No run matches.");
});

test.each(MODULES)("%s: what a line has no room for is told on hover", (_, view) => {
  const kernel = new Kernel(1);
  kernel.lines = [line(0, "openai:ft:gpt-4.1-mini:my-organisation", "Tell me · HTTP 401")];
  kernel.model.traits.table = kernel.table({ from: 0, count: 100 });
  const { all } = open(view, kernel);
  expect(all(".l0-row .l0-c").map((el) => [el.textContent, el.title])).toEqual([
    ["complete", ""],
    ["openai:ft:gpt-4.1-mini:my-organisation", "openai:ft:gpt-4.1-mini:my-organisation"],
    ["Tell me · HTTP 401", "Tell me · HTTP 401"],
    ...["1", "1,000", "0.25 s", "2.5 s", ""].map((text) => [text, ""]),
    [new Date(1_700_000_000_000).toLocaleString("sv"), ""],
  ]);
});

test.each(MODULES)("%s: the head names the model that each attempt asked", (_, view) => {
  const kernel = new Kernel(1);
  kernel.facts = { model: "sim:code", models: ["sim:story", "sim:code"] };
  const { find, click, slide } = open(view, kernel);
  click(find(".l0-row"));
  const facts = () => find(".l0-run .l0-facts").textContent;
  expect(facts()).toMatch(/^sim:code · attempt 2 of 2/);
  slide(0.2);
  expect(facts()).toMatch(/^sim:story · attempt 1 of 2/);
  kernel.facts = { model: "sim:code", models: [null, "sim:code"] };
  click(find(".l0-row"));
  slide(0.2);
  expect(facts(), "a name that is not known is nobody else's").toMatch(/^attempt 1 of 2/);
});

test.each(MODULES)("%s: a run that is closed is no longer marked as open", (_, view) => {
  const { find, click, named } = open(view, new Kernel(2));
  click(find(".l0-row"));
  frame();
  expect(find(".l0-row").hasAttribute("data-open")).toBe(true);
  click(named("Close"));
  expect(find(".l0-row").hasAttribute("data-open")).toBe(false);
  expect(document.activeElement).toBe(find(".l0-list"));
});

test.each(MODULES)("%s: a click finds what it was meant for while another table comes", (_, view) => {
  const kernel = new Kernel(30);
  const { find, all, type, click } = open(view, kernel);
  const [row, cell] = [find(".l0-row"), find(".l0-row .l0-prompt")];
  kernel.mute = true;
  type("Prompt");
  expect(find(".l0-row .l0-prompt")).toBe(cell); // a click whose element goes is no click
  click(cell);
  expect(kernel.asked("open").map(({ id }) => id)).toEqual(["run-0"]);
  kernel.mute = false;
  vi.advanceTimersByTime(2600);
  frame();
  expect(find(".l0-row .l0-prompt")).toBe(cell);
  type("Prompt 7");
  expect(all(".l0-row").map((each) => each === row)).toEqual([true]);
  expect(row.textContent).toContain("Prompt 7");
  expect(cell.isConnected).toBe(false);
});

test.each(MODULES)("%s: rows that stay in sight stay on the page", (_, view) => {
  const { find, all } = open(view, new Kernel(90));
  const kept = all(".l0-row").slice(12);
  for (const top of [28 * 10, 28 * 6, 0]) {
    find(".l0-list").scrollTop = top;
    find(".l0-list").dispatchEvent(new Event("scroll"));
    frame();
    const rows = all(".l0-row");
    const first = Math.max(0, top / 28 - 4);
    expect(rows.map((row) => +row.getAttribute("aria-rowindex")!)).toEqual(
      rows.map((_, at) => first + at + 1),
    );
    expect(kept.every((row) => rows.includes(row))).toBe(true);
  }
});

test.each(MODULES)("%s: the keyboard walks, opens and closes", (_, view) => {
  const kernel = new Kernel(300);
  const { find, press } = open(view, kernel);
  const list = find(".l0-list");
  const active = () => find(`#${list.getAttribute("aria-activedescendant")}`)?.textContent;
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"]) press(list, key);
  expect(active()).toContain("Prompt 1");
  expect(find(".l0-on").getAttribute("aria-selected")).toBe("true");
  press(list, "End");
  frame();
  expect(active()).toContain("Prompt 299");
  press(list, "Home");
  press(list, "Enter");
  expect(kernel.asked("open")[0].id).toBe("run-0");
  expect(find(".l0-player")).not.toBeNull();
  press(find(".l0-run"), "Escape");
  expect(find(".l0-player")).toBeNull();
  expect(document.activeElement).toBe(list);
});

test.each(MODULES)("%s: a run is read part by part, and shown at its end", (_, view) => {
  const kernel = new Kernel(2);
  const { find, click, all } = open(view, kernel);
  click(find(".l0-row"));
  expect(kernel.asked("open").map(({ part }) => part)).toEqual([0, 1]);
  expect(find(".l0-answer").textContent).toBe("Good night");
  expect(find(".l0-run").dataset.status).toBe("complete");
  expect(find(".l0-cut summary").textContent).toContain("attempt 1 · withdrawn after 2 tokens");
  expect(find(".l0-cut del").textContent).toBe("Hello ");
  expect(find(".l0-reading").textContent).toBe("complete · 2 attempts · 2 tokens in 1.0 s");
  expect(all("[role=tab]").map((tab) => tab.textContent)).toEqual(["Text", "Attempts 2", "Events 8"]);
});

test.each(MODULES)("%s: it is scrubbed to any moment", (_, view) => {
  const { find, click, slide, all, tab } = open(view, new Kernel(2));
  click(find(".l0-row"));
  const seen = [0, 0.1, 0.25, 0.45, 0.5, 0.8, 1].map((share) => {
    slide(share);
    return find(".l0-answer").textContent;
  });
  expect(seen).toEqual(["", "Hel", "Hello ", "", "Good ", "Good night", "Good night"]);
  slide(0.25);
  expect(find(".l0-run").dataset.status).toBe("streaming");
  expect(find(".l0-time").textContent).toBe("0.25 s / 1.0 s");
  expect(find("input[type=range]").getAttribute("aria-valuetext")).toBe("0.25 s of 1.0 s");
  expect(find(".l0-later").hidden).toBe(false);
  expect(all(".l0-cut").length).toBe(0);
  click(tab("Events"));
  expect(all(".l0-events .l0-row").map((row) => row.classList.contains("l0-future"))).toEqual([
    ...Array(3).fill(false),
    ...Array(5).fill(true),
  ]);
  expect(find(".l0-events .l0-on").textContent).toContain("TOKENS");
  expect(find(".l0-payload").textContent).toContain('"text": "Hello "');
});

test.each(MODULES)("%s: it is played, faster, and paused", (_, view) => {
  const { find, click, named } = open(view, new Kernel(2));
  click(find(".l0-row"));
  const speed = find(".l0-player select") as HTMLSelectElement;
  named("Replay").click();
  vi.advanceTimersByTime(150);
  expect(find(".l0-answer").textContent).toBe("Hel");
  named("Pause").click();
  vi.advanceTimersByTime(1000);
  expect(find(".l0-answer").textContent).toBe("Hel");
  speed.selectedIndex = 4;
  speed.dispatchEvent(new Event("change"));
  named("Play").click();
  vi.advanceTimersByTime(200);
  expect(find(".l0-answer").textContent).toBe("Good night");
  expect(named("Replay")).toBeDefined();
});

test.each(MODULES)("%s: an event that is chosen is the moment", (_, view) => {
  const { find, click, all, press, tab } = open(view, new Kernel(2));
  click(find(".l0-row"));
  click(tab("Events"));
  click(all(".l0-events .l0-row")[3]!);
  expect(find(".l0-time").textContent).toBe("0.30 s / 1.0 s");
  expect(find(".l0-payload").textContent).toContain("reset by peer");
  press(find(".l0-events .l0-list"), "ArrowUp");
  expect(find(".l0-time").textContent).toBe("0.10 s / 1.0 s");
  click(tab("Text"));
  expect(find(".l0-answer").textContent).toBe("Hel");
});

test.each(MODULES)("%s: attempts stand side by side", (_, view) => {
  const kernel = new Kernel(2);
  const { find, click, all, tab } = open(view, kernel);
  click(find(".l0-row"));
  click(tab("Attempts"));
  expect(kernel.asked("diff")[0].sides).toEqual([
    ["run-0", 1],
    ["run-0", 2],
  ]);
  const [left, right] = all(".l0-side-text");
  expect([left!.textContent, right!.textContent]).toEqual(["Hello night", "Good night"]);
  expect(left!.querySelector("del")!.textContent).toBe("Hello ");
  expect(right!.querySelector("ins")!.textContent).toBe("Good ");
  const choose = find(".l0-side select") as HTMLSelectElement;
  choose.selectedIndex = 2;
  choose.dispatchEvent(new Event("change"));
  expect(kernel.asked("diff")[1].sides[0]).toEqual(["run-0", 0]);
});

test.each(MODULES)("%s: a pinned run is among the texts of the next one", (_, view) => {
  const kernel = new Kernel(2);
  const { find, click, all, named, tab } = open(view, kernel);
  click(find(".l0-row"));
  click(named("Pin"));
  click(all(".l0-grid .l0-row")[1]!);
  click(tab("Attempts"));
  const texts = [...find(".l0-side select").children].map((each) => each.textContent);
  expect(texts.at(-1)).toBe("sim:story · run-0");
});

test.each(MODULES)("%s: one run alone has no table", (_, view) => {
  const { find } = open(view, new Kernel(0, { mode: "run", ids: ["run-9"] }));
  expect(find(".l0-grid")).toBeNull();
  expect(find(".l0-answer").textContent).toBe("Good night");
});

test.each(MODULES)("%s: two runs begin with the texts that stand", (_, view) => {
  const texts = [
    { text: "A · x", side: ["a", 0] },
    { text: "A · attempt 1", side: ["a", 1] },
    { text: "B · y", side: ["b", 0] },
  ];
  const kernel = new Kernel(0, { mode: "compare", ids: ["a", "b"], texts });
  const { all } = open(view, kernel);
  expect(kernel.asked("diff")[0].sides).toEqual([
    ["a", 0],
    ["b", 0],
  ]);
  expect(all(".l0-side").length).toBe(2);
});

test.each(MODULES)("%s: keep is asked of the kernel, refresh reads anew", (_, view) => {
  const kernel = new Kernel(1);
  const { click, named, all } = open(view, kernel);
  click(named("Keep"));
  expect(kernel.asked("keep").length).toBe(1);
  kernel.lines.push(line(1));
  click(named("Refresh"));
  expect(kernel.asked("list").at(-1).refresh).toBe(true);
  expect(all(".l0-row").length).toBe(2);
});

test.each(MODULES)("%s: where nothing can be kept there is no button for it", (_, view) => {
  const { all } = open(view, new Kernel(1, { can_keep: false }));
  const names = all("header button").map((each) => each.textContent);
  expect(names).toContain("Refresh");
  expect(names).not.toContain("Keep");
});

test.each(MODULES)("%s: plain keys stay in the view", (_, view) => {
  const { find, press } = open(view, new Kernel(1));
  const leaked = vi.fn();
  document.addEventListener("keydown", leaked);
  press(find(".l0-list"), "b");
  expect(leaked).not.toHaveBeenCalled();
  document.removeEventListener("keydown", leaked);
});

test.each(MODULES)("%s: when it ends nothing is left", (_, view) => {
  const kernel = new Kernel(3);
  const { end, el, find, click, named } = open(view, kernel);
  click(find(".l0-row"));
  named("Replay").click();
  end();
  expect(el.children.length).toBe(0);
  expect(kernel.model.listeners).toBe(0);
  const sent = kernel.model.sent.length;
  vi.advanceTimersByTime(10_000);
  expect(kernel.model.sent.length).toBe(sent);
  expect(vi.getTimerCount()).toBe(0);
});
