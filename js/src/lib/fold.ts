// What is true of a run so far, by the same fold of events as in Python, and the story of it.

import { count, max, min, seconds, words } from "./dom";
import type { DataPayload, GuardrailViolation, Progress, ToolCall } from "./events.gen";
import type { Row } from "./wire";

/** Text that was shown and no longer stands. */
export interface Withdrawn {
  /** Which attempt of the run, counted over fallbacks. */
  attempt: number;
  /** How many tokens fell away, of how many. */
  tokens: number;
  of: number;
  why: string;
  violations: GuardrailViolation[];
  /** When, in ms of the run. */
  t: number;
  /** Missing until the text operation is here, and where a late joiner never got it. */
  text: string | undefined;
}

/** Something that lasts. */
export interface Bar {
  kind: "wait" | "stream" | "back";
  /** Milliseconds of the run; `to` is infinite while it lasts. */
  from: number;
  to: number;
  /** The run's tokens [first, last) came in it; those beyond the kept ones are withdrawn. */
  first: number;
  last: number;
  kept: number;
}

/** One attempt. */
export interface Lane {
  fallback: number;
  bars: Bar[];
}

/** Something that happened at a moment. */
export interface Mark {
  kind: string;
  t: number;
  lane: number;
  text: string;
}

export const newState = () => ({
  // As in Python, by the same names.
  content: "",
  token_count: 0,
  attempt: 1,
  fallback_index: 0,
  model_retry_count: 0,
  network_retry_count: 0,
  violations: [] as GuardrailViolation[],
  drift_detected: false,
  completed: false,
  aborted: false,
  resumed: false,
  /** Seconds, like the time to the first token. */
  duration: null as number | null,
  time_to_first_token: null as number | null,
  data_outputs: [] as DataPayload[],
  last_progress: null as Progress | null,
  tool_calls: [] as ToolCall[],
  usage: {} as Record<string, number>,
  lost_tokens: 0,
  finish_reason: null as string | null,
  model: null as string | null,
  // What only the eye needs.
  /** The time of the latest event, ms. */
  t: 0,
  lanes: [] as Lane[],
  marks: [] as Mark[],
  withdrawn: [] as Withdrawn[],
  /** The cut-off text, or the entry, that waits for its other half. */
  fallen: undefined as string | undefined,
  owed: undefined as Withdrawn | undefined,
  tools: [] as Array<Record<string, any>>,
  thoughts: "",
  /** Why the attempt failed, in a person's words, by the reason that the runtime gives. */
  causes: {} as Record<string, string>,
  /** The reason of the latest retry or fallback. */
  why: "",
});

export type State = ReturnType<typeof newState>;

/** A silence longer than this, in ms, is a wait. */
export const GAP = 600;
const BLINK = 30;

const TIMEOUTS: Record<string, string> = {
  connect: "connection",
  initial_token: "first-token",
  inter_token: "gap",
};

/** Only the first `keep` UTF-16 units still stand; what falls away is kept as withdrawn. */
export function cut(s: State, keep: number): void {
  const fallen = s.content.slice(keep);
  s.content = s.content.slice(0, keep);
  if (!fallen) return;
  if (s.owed) s.owed.text = fallen;
  else s.fallen = fallen;
  s.owed = undefined;
}

/** The state of a snapshot; withdrawn texts it does not carry are taken over from `old`. */
export function rebuild(content: string, rows: Row[], old: State): State {
  const s = newState();
  for (const row of rows) fold(s, row);
  s.content = content;
  s.owed = undefined;
  for (const entry of s.withdrawn)
    entry.text ??= old.withdrawn.find((known) => known.t === entry.t)?.text;
  return s;
}

type Pen = (kind: string, text: string) => unknown;
/** What a view makes of events that it alone shows. */
export const more: Record<string, (s: State, p: Row[2], mark: Pen) => void> = {};

/** Apply one event. */
export function fold(s: State, [type, t, p]: Row): void {
  const lane = s.lanes.length - 1;
  const bar = s.lanes[lane]?.bars.at(-1);
  let end = t;
  const why = (): string => s.causes[p.reason] ?? words(p.reason);
  const mark = (kind: string, text = sentence(kind, p)) => s.marks.push({ kind, t, lane, text });
  const begin = (kind: Bar["kind"], to: number, from = t, first = 0, last = 0) =>
    s.lanes.at(-1)?.bars.push({ kind, from, to, first, last, kept: last });
  /** Whatever lasts, lasts until now. */
  const close = () => {
    if (!bar) return;
    if (bar.to > t) bar.to = t;
    else if (t - bar.to > BLINK) begin("wait", t, bar.to);
  };

  const folds: Record<string, () => unknown> = {
    STREAM_INIT() {
      close();
      s.lanes.push({ fallback: p.fallback_index, bars: [] });
      begin("wait", Infinity);
      s.causes = {};
    },
    TOKENS() {
      end += p.duration_ms;
      s.token_count = p.start + p.count;
      s.time_to_first_token ??= t / 1000;
      if (bar?.kind === "stream" && bar.last === p.start && t - bar.to < GAP) {
        bar.to = end;
        bar.last = bar.kept = s.token_count;
      } else {
        close();
        begin("stream", end, t, p.start, s.token_count);
      }
    },
    ATTEMPT_START() {
      s.attempt = p.attempt;
    },
    RESTART() {
      if (p.continues) return; // the provider goes on with the same answer
      const stands = (v: GuardrailViolation) => v.position != null && v.position < p.kept_chars;
      const tokens = max(0, s.token_count - p.kept_tokens);
      if (p.discarded_chars) {
        mark("cut", `${count(p.discarded_chars, "character")} withdrawn`);
        const entry: Withdrawn = {
          attempt: lane + 1,
          tokens,
          of: s.token_count,
          why: why(),
          violations: s.violations.filter((v) => !stands(v)),
          t,
          text: p.text ?? s.fallen,
        };
        s.withdrawn.push(entry);
        s.owed = s.fallen === undefined ? entry : undefined;
        s.fallen = undefined;
      }
      for (const { bars } of s.lanes) for (const b of bars) b.kept = min(b.kept, p.kept_tokens);
      s.violations = s.violations.filter(stands);
      s.lost_tokens += tokens;
      s.token_count = p.kept_tokens;
      if (!p.kept_chars) s.time_to_first_token = null;
      s.data_outputs = [];
      s.tool_calls = [];
      s.tools = [];
      s.thoughts = "";
      s.last_progress = s.finish_reason = null;
      s.drift_detected = false;
    },
    DEDUPLICATION_END() {
      s.lost_tokens += p.lost_tokens ?? 0;
    },
    STREAM_FINISHED() {
      close();
      s.finish_reason = p.finish_reason;
      s.model = p.model || s.model;
    },
    STREAM_EVENT() {
      const { type, text, payload, progress, tool_call } = p.event;
      if (type === "message") s.thoughts += text ?? "";
      if (progress) s.last_progress = progress;
      if (payload) s.data_outputs.push(payload);
      if (tool_call) s.tool_calls.push(tool_call);
    },
    USAGE() {
      for (const key in p) if (/_tokens$/.test(key)) s.usage[key] = (s.usage[key] ?? 0) + p[key];
    },
    NETWORK_ERROR() {
      s.causes.network_error = words(p.network_type);
    },
    TIMEOUT_TRIGGERED() {
      s.causes.timeout = `${TIMEOUTS[p.timeout_type] ?? words(p.timeout_type)} timeout`;
      mark("timeout", `${s.causes.timeout} after ${seconds(p.elapsed_ms)}`);
    },
    ABORT_REQUESTED() {
      mark("stop");
    },
    ABORT_COMPLETED() {
      close();
      s.aborted = true;
    },
    TOOL_REQUESTED() {
      mark("tool");
    },
    TOOL_ERROR() {
      mark("error");
    },
    GUARDRAIL_RULE_RESULT() {
      for (const v of p.violations ?? []) {
        s.violations.push(v);
        mark("violation", `${v.rule}: ${v.message}`);
        if (v.severity !== "warning") s.causes.guardrail_violation = `guardrail ${v.rule}`;
      }
    },
    DRIFT_CHECK_RESULT() {
      if (!p.detected) return;
      s.drift_detected = true;
      mark("drift", (s.causes.drift = `drift: ${words(p.types.join(", "))}`));
    },
    CHECKPOINT_SAVED() {
      mark("checkpoint");
    },
    RESUME_START() {
      s.resumed = true;
      mark("resume");
    },
    ERROR() {
      close();
      mark("error");
    },
    RETRY_ATTEMPT() {
      begin("back", t + p.delay_ms);
      mark("retry");
      s.why = why();
      if (p.counts_toward_limit) s.model_retry_count++;
      else s.network_retry_count++;
    },
    FALLBACK_MODEL_SELECTED() {
      mark("fallback");
      s.why = why();
      s.fallback_index = p.index;
      s.model = null;
      s.attempt = 1;
    },
    FINALIZATION_START() {
      s.completed = true;
    },
    FINALIZATION_END() {
      s.completed = p.passed;
    },
    SESSION_END() {
      s.duration = p.duration_ms / 1000;
    },
    COMPLETE() {
      mark("done");
    },
  };
  folds[type]?.();
  more[type]?.(s, p, mark);

  if (/^TOOL_/.test(type)) {
    let tool = s.tools.find((known) => known.tool_call_id === p.tool_call_id);
    if (!tool) s.tools.push((tool = {}));
    Object.assign(tool, { status: type.slice(5).toLowerCase() }, p);
  }
  s.t = max(s.t, end);
}

/** What a mark says: `retry: rate limit, next try in 0.50 s`. */
function sentence(kind: string, p: Row[2]): string {
  const what = p.tool_name ?? words(p.reason ?? p.source);
  const said = [kind, what, p.error].filter(Boolean).join(": ");
  return p.delay_ms >= 0 ? `${said}, next try in ${seconds(p.delay_ms)}` : said;
}
