// The numbered messages between kernel and page: apply in order, drop what is known, heal a gap.

import { atEnd, clock } from "./dom";
import type { EventName, Payloads } from "./events.gen";

/** An event as it travels: type, milliseconds since the run began, payload. */
export type Row = [type: string, t: number, payload: Record<string, any>];
export type RowOf<N extends EventName> = [type: N, t: number, payload: Payloads[N]];

export type Status =
  | "waiting"
  | "streaming"
  | "retrying"
  | "fallback"
  | "stopping"
  | "complete"
  | "failed"
  | "aborted"
  | "unfinished";

export interface Meta {
  stream_id?: string;
  model?: string;
  format?: "markdown" | "text" | "json" | "code" | "data";
  mime?: string;
  notes?: string[];
  live?: boolean;
  now_ms?: number;
  can_stop?: boolean;
  /** False: Stop never interrupts the kernel, as for a run behind somebody else's cell. */
  interrupt?: boolean;
  /** The tokens and the cost of its requests, ready to show, once it is over. */
  usage?: string;
  /** It may be run once more: it costs nothing. */
  can_again?: boolean;
  error?: { type: string; message: string; hint?: string } | null;
}

export interface Snapshot {
  content: string;
  events: Row[];
  status: Status;
  meta: Meta;
  q: number;
}

export type Op =
  | ["d", string]
  | ["r", number]
  | ["e", Row[]]
  | ["st", Status, Meta?]
  | ["s", Snapshot]
  | ["h"];

/** The part of an anywidget model that a view uses. */
export interface Model {
  get(name: string): any;
  on(name: string, callback: (message?: any) => void): void;
  off(name: string, callback: (message?: any) => void): void;
  send(message: unknown): void;
  widget_manager?: { kernel?: { interrupt?: () => unknown } | null };
}

export interface Sink {
  /** Replace everything. */
  load(snapshot: Snapshot): void;
  /** Apply one operation, in order. */
  op(op: Op): void;
  /** The synced trait `status` or `meta` changed. */
  trait(name: "status" | "meta"): void;
  /** The connection was found or lost. */
  link(): void;
  ongoing(): boolean;
}

export interface Wire {
  /** The kernel has been heard since the view opened, so a button would be answered. */
  heard: boolean;
  /** Nobody answers: a reopened notebook, a dead kernel. */
  lost: boolean;
}

/** How long an answer may take before `sync` is asked again, in ms. */
const PATIENCE = 2000;
/** How long a run may be silent, in ms. */
const SILENCE = 5000;

/** Send to the kernel; a front-end without a comm may throw, and then nobody is there. */
export function tell(model: Model, message: unknown): void {
  try {
    model.send(message);
  } catch {
    // The view finds out by the silence.
  }
}

/** Follow a model until the signal aborts. */
export function follow(model: Model, sink: Sink, signal: AbortSignal): Wire {
  const wire: Wire = { heard: false, lost: false };
  let have = -1;
  let heardAt = clock();
  let asked = -Infinity; // when `sync` was sent and not yet answered
  let unanswered = 0;

  const link = (heard: boolean, lost: boolean) => {
    if (wire.heard === heard && wire.lost === lost) return;
    wire.heard = heard;
    wire.lost = lost;
    sink.link();
  };
  const sync = () => {
    if (clock() - asked < PATIENCE * (wire.lost ? 5 : 1)) return;
    asked = clock();
    unanswered++;
    tell(model, { type: "sync", have });
  };
  const load = (snapshot: Snapshot) => {
    have = snapshot.q;
    sink.load(snapshot);
  };
  const stored = () => {
    const get = (name: string) => model.get(name);
    const q = get("rev");
    if (q > have)
      load({
        q,
        content: get("content"),
        events: get("events"),
        status: get("status"),
        meta: get("meta"),
      });
  };
  const hear = ({ q, ops }: { q: number; ops?: Op[] }) => {
    if (!ops) return;
    heardAt = clock();
    unanswered = 0;
    link(true, false);
    const [kind, state] = ops[0] ?? [];
    if (kind === "s") {
      const fits = state.q > have || (state.q === have && asked >= 0);
      asked = -Infinity;
      if (fits) load(state);
    } else if (q > have + 1 || (q > have && kind === "h")) sync();
    else if (q > have) {
      have = q;
      ops.forEach(sink.op);
    } else if (q === have) asked = -Infinity; // a heartbeat that agrees is an answer, too
  };
  const watch = () => {
    if (!sink.ongoing()) return;
    const manager = model.widget_manager;
    if (manager && "kernel" in manager && !manager.kernel) link(wire.heard, true);
    else if (unanswered && clock() - asked >= PATIENCE) {
      if (!wire.heard || unanswered > 2) link(wire.heard, true);
      sync();
    } else if (clock() - heardAt > SILENCE) sync();
  };

  stored();
  for (const [name, run] of [
    ["msg:custom", hear],
    ["change:rev", stored],
    ["change:status", () => sink.trait("status")],
    ["change:meta", () => sink.trait("meta")],
  ] as const) {
    model.on(name, run);
    atEnd(signal, () => model.off(name, run));
  }
  const timer = setInterval(watch, 500);
  atEnd(signal, () => clearInterval(timer));
  watch();
  // What was sent between the kernel's first message and this moment is asked for at once.
  if (sink.ongoing() && !wire.lost) sync();
  return wire;
}
