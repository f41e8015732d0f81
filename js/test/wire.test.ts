import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { follow, type Op, type Sink, type Snapshot } from "../src/lib/wire";
import { FakeKernel } from "./fake";

class Recorder implements Sink {
  text = "";
  loads: Snapshot[] = [];
  traits: string[] = [];
  links = 0;
  live = true;
  load = (snapshot: Snapshot) => {
    this.loads.push(snapshot);
    this.text = snapshot.content;
  };
  op = ([kind, value]: Op) => {
    if (kind === "d") this.text += value;
    if (kind === "r") this.text = this.text.slice(0, value as number);
  };
  trait = (name: string) => void this.traits.push(name);
  link = () => void this.links++;
  ongoing = () => this.live;
}

function open(traits = {}) {
  const kernel = new FakeKernel(traits);
  const sink = new Recorder();
  const control = new AbortController();
  const wire = follow(kernel.model, sink, control.signal);
  return { kernel, sink, control, wire };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("Messages in order are applied, each once.", () => {
  const { kernel, sink } = open();
  kernel.push(["d", "Hel"]);
  kernel.push(["d", "lo"], ["d", "!"]);
  kernel.model.emit("msg:custom", { q: 1, ops: [["d", "Hel"]] });
  expect(sink.text).toBe("Hello!");
});

test("The view asks for what it may have missed as soon as it opens.", () => {
  const { kernel } = open({ rev: 7, content: "abc" });
  expect(kernel.syncs).toEqual([7]);
});

test("An ended run is not asked anything.", () => {
  const kernel = new FakeKernel({ status: "complete", rev: 3 });
  const sink = new Recorder();
  sink.live = false;
  follow(kernel.model, sink, new AbortController().signal);
  vi.advanceTimersByTime(20_000);
  expect(kernel.model.sent).toEqual([]);
});

describe("A gap", () => {
  test("asks for a sync once, and again only after two seconds without an answer.", () => {
    const { kernel } = open();
    kernel.heartbeat(); // answers the question of the opening
    kernel.push(["d", "a"]);
    kernel.lose();
    for (let i = 0; i < 20; i++) kernel.push(["d", "x"]);
    expect(kernel.syncs).toEqual([0, 1]);
    vi.advanceTimersByTime(1900);
    kernel.push(["d", "x"]);
    expect(kernel.syncs).toEqual([0, 1]);
    vi.advanceTimersByTime(200);
    kernel.push(["d", "x"]);
    expect(kernel.syncs).toEqual([0, 1, 1]);
  });

  test("is healed by the snapshot, and what follows is applied again.", () => {
    const { kernel, sink } = open();
    kernel.push(["d", "a"]);
    kernel.lose();
    kernel.push(["d", "c"]);
    expect(sink.text).toBe("a");
    kernel.snapshot("abc", [], "streaming");
    kernel.push(["d", "d"]);
    expect(sink.text).toBe("abcd");
  });

  test("is seen by a heartbeat with a larger number.", () => {
    const { kernel } = open();
    kernel.heartbeat();
    expect(kernel.syncs).toEqual([0]);
    kernel.lose();
    kernel.heartbeat();
    expect(kernel.syncs).toEqual([0, 0]);
  });
});

test("A heartbeat with the number at hand asks nothing.", () => {
  const { kernel } = open();
  kernel.push(["d", "a"]);
  kernel.heartbeat();
  expect(kernel.syncs).toEqual([0]);
});

test("A late snapshot changes nothing that is newer.", () => {
  const { kernel, sink } = open();
  kernel.push(["d", "a"]);
  const old = { content: "", events: [], status: "waiting", meta: {}, q: 0 };
  kernel.model.emit("msg:custom", { q: 0, ops: [["s", old]] });
  expect(sink.text).toBe("a");
});

test("A second view's snapshot is ignored by a view that is up to date.", () => {
  const { kernel, sink } = open();
  kernel.snapshot("", [], "waiting"); // the answer to this view
  kernel.push(["d", "a"]);
  const loads = sink.loads.length;
  kernel.snapshot("a", [], "streaming");
  expect(sink.loads.length).toBe(loads);
});

test("Five seconds of silence in a running run ask for a sync.", () => {
  const { kernel } = open();
  kernel.push(["d", "a"]);
  kernel.heartbeat();
  vi.advanceTimersByTime(4500);
  expect(kernel.syncs.length).toBe(1);
  vi.advanceTimersByTime(1500);
  expect(kernel.syncs).toEqual([0, 1]);
});

test("A kernel that never answers is lost after two seconds; a message finds it again.", () => {
  const { kernel, wire } = open();
  vi.advanceTimersByTime(1900);
  expect(wire.lost).toBe(false);
  vi.advanceTimersByTime(700);
  expect(wire).toMatchObject({ lost: true, heard: false });
  kernel.push(["d", "a"]);
  expect(wire).toMatchObject({ lost: false, heard: true });
});

test("A kernel that falls silent is lost after three unanswered questions.", () => {
  const { kernel, wire } = open();
  kernel.push(["d", "a"]);
  vi.advanceTimersByTime(9000);
  expect(wire.lost).toBe(false);
  vi.advanceTimersByTime(4000);
  expect(wire.lost).toBe(true);
});

test("Without a kernel nobody is asked.", () => {
  const kernel = new FakeKernel();
  kernel.model.widget_manager.kernel = null;
  const wire = follow(kernel.model, new Recorder(), new AbortController().signal);
  expect(wire.lost).toBe(true);
  vi.advanceTimersByTime(20_000);
  expect(kernel.model.sent).toEqual([]);
});

test("A front-end whose send throws leaves the view as it is.", () => {
  const kernel = new FakeKernel();
  kernel.model.send = () => {
    throw new Error("no comm");
  };
  const wire = follow(kernel.model, new Recorder(), new AbortController().signal);
  vi.advanceTimersByTime(3000);
  expect(wire.lost).toBe(true);
});

test("The state of the end comes by traits when the messages were lost.", () => {
  const { kernel, sink } = open();
  kernel.push(["d", "a"]);
  kernel.model.update({ content: "all", events: [], status: "complete", rev: 9 });
  expect(sink.text).toBe("all");
  kernel.model.emit("msg:custom", { q: 5, ops: [["d", "late"]] });
  expect(sink.text).toBe("all");
});

test("Messages of somebody else's protocol are ignored.", () => {
  const { kernel, sink } = open();
  kernel.model.emit("msg:custom", { id: "1", kind: "anywidget-command", response: {} });
  kernel.push();
  kernel.push(["d", "a"]);
  expect(sink.text).toBe("a");
});

test("Nothing is heard and no timer runs after the end of the view.", () => {
  const { kernel, control } = open();
  control.abort();
  expect(kernel.model.listeners).toBe(0);
  const sent = kernel.model.sent.length;
  vi.advanceTimersByTime(60_000);
  expect(kernel.model.sent.length).toBe(sent);
  expect(vi.getTimerCount()).toBe(0);
});
