// A model like the one anywidget hands to a view, and a kernel that talks to it by the protocol.

import type { Meta, Model, Op, Row, Snapshot, Status } from "../src/lib/wire";

type Callback = (message?: any) => void;

export class FakeModel implements Model {
  sent: any[] = [];
  widget_manager: { kernel?: { interrupt?: () => unknown } | null } = { kernel: {} };
  private callbacks = new Map<string, Set<Callback>>();

  constructor(public traits: Record<string, any>) {}
  get(name: string): any {
    return this.traits[name];
  }
  on(name: string, callback: Callback): void {
    if (!this.callbacks.has(name)) this.callbacks.set(name, new Set());
    this.callbacks.get(name)!.add(callback);
  }
  off(name: string, callback: Callback): void {
    this.callbacks.get(name)?.delete(callback);
  }
  send(message: unknown): void {
    this.sent.push(message);
  }
  emit(name: string, message?: unknown): void {
    for (const callback of [...(this.callbacks.get(name) ?? [])]) callback(message);
  }
  /** How many callbacks are registered. */
  get listeners(): number {
    return [...this.callbacks.values()].reduce((sum, set) => sum + set.size, 0);
  }
  /** Like one update message: all values first, then the change events. */
  update(traits: Record<string, any>): void {
    Object.assign(this.traits, traits);
    for (const name in traits) this.emit(`change:${name}`);
  }
}

export const META: Meta = {
  stream_id: "0190",
  model: "sim:story",
  format: "markdown",
  notes: [],
  live: true,
  can_stop: true,
  now_ms: 0,
};

export class FakeKernel {
  q = 0;
  model: FakeModel;
  constructor(traits: Record<string, any> = {}) {
    const meta = { ...META, ...traits.meta };
    this.model = new FakeModel({
      status: "waiting",
      content: "",
      events: [],
      rev: 0,
      ...traits,
      meta,
    });
    this.q = this.model.get("rev");
  }
  push(...ops: Op[]): void {
    this.model.emit("msg:custom", { q: ++this.q, ops });
  }
  /** A message that the server dropped. */
  lose(): void {
    this.q++;
  }
  heartbeat(): void {
    this.model.emit("msg:custom", { q: this.q, ops: [["h"]] });
  }
  snapshot(content: string, events: Row[], status: Status, meta: Meta = META): void {
    const state: Snapshot = { content, events, status, meta, q: this.q };
    this.model.emit("msg:custom", { q: this.q, ops: [["s", state]] });
  }
  get syncs(): number[] {
    return this.model.sent.filter((m) => m.type === "sync").map((m) => m.have);
  }
}

/** A seeded random number in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Hand a view its extras, in the kernel's way; what they are called with. */
export async function dressing(model: FakeModel): Promise<any[]> {
  const page = globalThis as any;
  const before = URL.createObjectURL;
  URL.createObjectURL = () =>
    "data:text/javascript,export default (...all) => { globalThis.dressed(all) }";
  try {
    return await new Promise((resolve) => {
      page.dressed = resolve;
      model.update({ extras: { js: "", css: ".x{}" } });
    });
  } finally {
    URL.createObjectURL = before;
    delete page.dressed;
  }
}
