// One recorded run: its text, its timeline, its attempts and its events, at any moment of it.

import { atEnd, attr, count, digits, frames, h, type Kid, label, listen, max, role, round, say, seconds, ticks } from "./dom";
import { sources } from "./dress";
import type { State } from "./fold";
import { list } from "./list";
import { NAMES } from "./names";
import { cutOff, finding, join, thinking } from "./parts";
import { player, tape } from "./player";
import { type Choice, type Differ, sides } from "./sides";
import { text } from "./text";
import { LEFT, strip } from "./timeline";
import type { Row } from "./wire";

export interface Facts {
  id: string;
  status: string;
  model?: string | null;
  /** What each attempt asked. */
  models?: Array<string | null>;
  prompt?: string | null;
  notes: string[];
  error?: { type: string; message: string; hint?: string } | null;
  attempts: number;
  ts?: number | null;
  /** What it is called where there are others. */
  name: string;
  /** What it was in the end. */
  closing: string;
  /** Its texts: one an attempt, and the one that stands. */
  texts: Choice[];
}

/** Each twice as fast as the one before. */
const SPEEDS = ["½×", "1×", "2×", "4×", "8×"];
const TABS = ["Text", "Attempts", "Events"];
const LINE = 24;
/** Where the slider ends. */
const WHOLE = 1000;

/** `2026-01-31 12:00:00`, as the clock on this wall said. */
export const moment = (ms?: number | null): string => (ms ? new Date(ms).toLocaleString("sv") : "");

/** A field to choose from. */
export function choice(name: string, options: string[], change: () => void, off: AbortSignal) {
  const el = h("select", "", ...options.map((option) => h("option", "", option)));
  label(el, name);
  listen(el, "change", off, change);
  return el;
}

export function button(text: string, off: AbortSignal, run: () => void) {
  const el = h("button", "", text);
  listen(el, "click", off, run);
  return el;
}

/** Draw a run; `others` are texts of other runs, to compare with. */
export function recorded(
  facts: Facts,
  rows: Row[],
  differ: Differ,
  others: Choice[],
  hands: Kid[],
  off: AbortSignal,
): HTMLElement {
  const film = tape(rows);
  film.seek(Infinity);
  const { state: whole, length } = film;
  const ask = frames(() => off.aborted || draw());
  const machine = player(film, ask, off);
  const seek = (to: number) => {
    machine.toggle(false);
    film.seek(to);
    byHand = false;
    ask();
  };

  // --- what is seen ---
  const word = h("b");
  const known = h("span", "facts");
  const play = button("", off, () => {
    byHand = false;
    machine.toggle();
  });
  const slider = h("input");
  const time = h("span", "time");
  const speed = choice(
    "Speed",
    SPEEDS,
    () => (machine.speed = 2 ** (speed.selectedIndex - 1)),
    off,
  );
  speed.selectedIndex = 1;
  slider.type = "range";
  slider.max = `${WHOLE}`;
  label(slider, "Moment");
  listen(slider, "input", off, () => seek((+slider.value / WHOLE) * length));

  const reading = h("span", "reading");
  const lanes = strip((sentence) => say(reading, sentence || facts.closing), off);
  const later = h("div", "later");
  lanes.el.append(later);
  listen(lanes.el, "pointerdown pointermove", off, (event: PointerEvent) => {
    if (event.type === "pointermove" && !(event.buttons & 1)) return;
    seek((event.clientX - lanes.el.getBoundingClientRect().left - LEFT) * lanes.pixel());
  });

  const cuts = h("div", "cuts");
  const think = thinking();
  const answer = h("div", "answer raw");
  const scroll = h("div", "scroll", answer);
  const found = h("ul", "findings");
  const failure = h("div", "error");
  scroll.tabIndex = 0;
  role(scroll, "region", "Text");
  let body = text(answer);
  sources.set(answer, () => film.state);
  let shown = "";

  const payload = h("pre", "payload");
  payload.tabIndex = 0;
  label(payload, "Payload");
  let byHand = false; // the event was chosen, so it stays the chosen one
  const events = list(
    LINE,
    (i, row) => {
      const [type, t, p] = rows[i]!;
      row.classList.toggle("l0-future", i >= film.past);
      return [
        h("span", "when", seconds(t)),
        h("span", "type", type),
        h("span", "what", brief(type, p)),
      ];
    },
    {
      move(i) {
        seek(rows[i]![1]);
        byHand = true;
      },
    },
    off,
  );
  role(events.el, "grid", "Events");

  const attempts = h("div");
  const panels = [
    h("div", "panel", cuts, think.el, scroll, found, failure),
    attempts,
    h("div", "panel events", events.el, payload),
  ];
  let front = 0;
  const tabs = TABS.map((name, at) => {
    const amount = [0, facts.attempts, rows.length][at];
    const tab = button(amount ? `${name} ${digits(amount)}` : name, off, () => open(at));
    role(tab, "tab");
    role(panels[at]!, "tabpanel");
    return tab;
  });
  const bar = h("div", "tabs", ...tabs);
  role(bar, "tablist");
  listen(bar, "keydown", off, ({ key }: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    open((front + step + tabs.length) % tabs.length);
    tabs[front]!.focus();
  });
  const open = (at: number) => {
    front = at;
    tabs.forEach((tab, i) => {
      attr(tab, "aria-selected", `${i === at}`);
      tab.tabIndex = i === at ? 0 : -1;
      panels[i]!.hidden = i !== at;
    });
    if (at === 1 && !attempts.firstChild) {
      const texts = [...facts.texts, ...others];
      const last = (facts.attempts > 1 ? facts.attempts : texts.length) - 1;
      attempts.append(sides(texts, [0, last], differ, off));
    }
    ask();
  };

  const draw = () => {
    const { state, now } = film;
    const done = now >= length;
    const status = done ? facts.status : film.status;
    const at = state.lanes.length;
    if (root.dataset.status !== status) root.dataset.status = status;
    say(word, NAMES[status] ?? status);
    say(
      known,
      join(
        at < whole.lanes.length ? facts.models?.[max(0, at - 1)] : (facts.model ?? whole.model),
        facts.attempts > 1 && `attempt ${at || 1} of ${facts.attempts}`,
        count(state.token_count, "token"),
        state.time_to_first_token !== null && `first token ${seconds(state.time_to_first_token * 1000)}`,
        moment(facts.ts),
      ),
    );
    say(play, machine.playing ? "Pause" : done ? "Replay" : "Play");
    slider.value = `${round((now / (length || 1)) * WHOLE)}`;
    attr(slider, "aria-valuetext", `${seconds(now)} of ${seconds(length)}`);
    say(time, `${seconds(now)} / ${seconds(length)}`);
    later.style.left = `${LEFT + now / lanes.pixel()}px`;
    later.hidden = done && !machine.playing;
    if (!panels[0]!.hidden) drawText(state, done);
    if (!panels[2]!.hidden) {
      events.draw(rows.length);
      if (!byHand) events.go(film.past - 1, true);
      const row = rows[events.active];
      say(payload, row ? JSON.stringify({ ...row[2], n: undefined, at: undefined }, null, 2) : "");
    }
  };

  const drawText = (state: State, done: boolean) => {
    const { content } = state;
    if (content.startsWith(shown)) body.append(content.slice(shown.length));
    else if (shown.startsWith(content)) body.cut(shown, content.length);
    else {
      answer.replaceChildren();
      body = text(answer);
      body.append(content);
    }
    shown = content;
    body.draw(!done);
    answer.toggleAttribute("data-open", !done);
    if (machine.playing) scroll.scrollTop = 1e9;
    fill(cuts, state.withdrawn, cutOff);
    fill(found, state.violations, finding);
    think.draw(state);
    fill(failure, done && facts.error ? [facts.error] : [], (e) =>
      h("div", "", h("b", "", e.type), e.message && h("p", "", e.message), h("p", "hint", ...ticks(e.hint))),
    );
  };

  const root = h(
    "section",
    "run",
    h("header", "head", h("i", "dot"), word, known, ...hands),
    facts.prompt && h("p", "prompt", facts.prompt),
    ...facts.notes.map((note) => h("p", "hint", note)),
    h("div", "player", play, slider, time, speed),
    lanes.el,
    h("p", "line", reading, h("span", "legend", h("i"), h("i"), h("i"), h("i"), h("i"))),
    bar,
    ...panels,
  );
  label(root, "Run");
  const sizes = new ResizeObserver(ask);
  sizes.observe(lanes.el);
  atEnd(off, () => sizes.disconnect());
  lanes.draw(whole, length, false);
  open(0);
  return root;
}

/** Draw children anew when there are more or fewer of them, or others. */
function fill<T>(parent: Element, values: T[], make: (value: T) => Node): void {
  const old = made.get(parent) ?? [];
  if (old.length === values.length && old.every((value, i) => value === values[i])) return;
  made.set(parent, [...values]);
  parent.replaceChildren(...values.map(make));
}
const made = new WeakMap<Element, unknown[]>();

/** An event in a line. */
const brief = (type: string, p: Row[2]): string =>
  type === "TOKENS"
    ? join(count(p.count, "token"), p.text && JSON.stringify(p.text.slice(0, 200)))
    : join(
        ...Object.entries(p).map(
          ([name, value]) =>
            value !== false && typeof value !== "object" && `${name} ${`${value}`.slice(0, 200)}`,
        ),
      );
