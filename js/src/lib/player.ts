// A recorded run at any moment: the fold of its rows up to then, and the clock that moves the moment.

import { clock, max, min } from "./dom";
import { cut, fold, newState, type State } from "./fold";
import type { Row } from "./wire";

/** What follows on an event, in the words of a status. */
const NEXT: Record<string, string> = {
  TOKENS: "streaming",
  STREAM_EVENT: "streaming",
  RETRY_ATTEMPT: "retrying",
  FALLBACK_START: "fallback",
  ABORT_REQUESTED: "stopping",
};

export interface Tape {
  /** How things stood at the moment; read only. */
  readonly state: State;
  readonly status: string;
  /** The moment, ms of the run. */
  readonly now: number;
  /** The last moment. */
  readonly length: number;
  /** How many rows have happened. */
  readonly past: number;
  seek(to: number): void;
}

/** When the last of a row has happened; the run itself says how long it was. */
const ends = ([type, t, p]: Row): number =>
  p.at ? t + p.at.at(-1) : type === "SESSION_END" ? p.duration_ms : t;

/** Make a tape of rows whose TOKENS carry `text`, the lengths `n` and the times `at` of tokens. */
export function tape(rows: Row[]): Tape {
  let tokens = 0; // of the present row that have come
  let chars = 0;
  const length = rows.reduce((last, row) => max(last, ends(row)), 0);
  const rewind = () => {
    self.state = newState();
    self.status = "waiting";
    self.past = tokens = chars = 0;
  };
  const self = { state: newState(), status: "waiting", now: 0, length, past: 0, seek };

  /** Some more tokens of a batch, as a row of their own; whether that is all of them. */
  const say = ([type, t, p]: Row): boolean => {
    const { at, n, text } = p;
    let till = tokens;
    let size = 0;
    while (till < at.length && t + at[till] <= self.now) size += n[till++];
    if (till > tokens) {
      const first = at[tokens];
      fold(self.state, [
        type,
        t + first,
        { start: p.start + tokens, count: till - tokens, duration_ms: at[till - 1] - first },
      ]);
      self.state.content += text.slice(chars, chars + size);
      tokens = till;
      chars += size;
    }
    return till >= at.length;
  };

  function seek(to: number): void {
    if (to < self.now) rewind();
    self.now = max(0, min(to, length));
    for (; self.past < rows.length; self.past++, tokens = chars = 0) {
      const row = rows[self.past]!;
      const [type, t, p] = row;
      if (t > self.now) break;
      self.status = NEXT[type] ?? self.status;
      if (p.at) {
        if (!say(row)) break;
        continue;
      }
      fold(self.state, row);
      if (type === "RESTART" && p.text) cut(self.state, self.state.content.length - p.text.length);
    }
  }
  return self;
}

export interface Player {
  playing: boolean;
  /** How many times as fast as it was. */
  speed: number;
  toggle(on?: boolean): void;
}

/** Move a tape on in its own time; `moved` is called with each step and each change. */
export function player(tape: Tape, moved: () => void, signal: AbortSignal): Player {
  let last = 0;
  const step = () => {
    if (!self.playing || signal.aborted) return;
    const at = clock();
    tape.seek(tape.now + (at - last) * self.speed);
    last = at;
    if (tape.now >= tape.length) self.playing = false;
    else requestAnimationFrame(step);
    moved();
  };
  const self: Player = {
    playing: false,
    speed: 1,
    toggle(on = !self.playing) {
      if (on === self.playing) return;
      self.playing = on;
      if (on && tape.now >= tape.length) tape.seek(0);
      last = clock();
      if (on) requestAnimationFrame(step);
      moved();
    },
  };
  return self;
}
