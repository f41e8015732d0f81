// The board: several runs side by side and what they came to, or how far a map is.

import {
  atEnd,
  attr,
  clock,
  count,
  frames,
  h,
  listen,
  max,
  min,
  round,
  say,
  seconds,
} from "./lib/dom";
import { cut, fold, newState, rebuild } from "./lib/fold";
import { keepKeys } from "./lib/keys";
import { type Body, markdown } from "./lib/markdown";
import { NAMES } from "./lib/names";
import { type MapFacts, progress } from "./lib/progress";
import { type Spot, spots } from "./lib/spots";
import { text } from "./lib/text";
import { follow, type Meta, type Model, type Sink, type Status, tell } from "./lib/wire";

const ENDED = /^(complete|failed|aborted|unfinished)$/;
/** How long the kernel has to hear of a stop before it is interrupted, in ms. */
const PATIENCE = 1500;
/** Up to so many runs, a column is this wide at least. As `_board_static.py` has it. */
const WIDTHS: Array<[number, string]> = [
  [2, "24em"],
  [3, "17em"],
  [4, "15em"],
  [Infinity, "19em"],
];
const BADGES: Record<string, string> = {
  winner: "✓ winner",
  agrees: "✓ agrees",
  similar: "≈ similar",
  differs: "≠ differs",
};

interface Verdict {
  says: string;
  text: string;
  winner: number | null;
  badges: string[];
  spots: Spot[][];
}

/** What the kernel says of the board itself. */
interface Facts extends Meta {
  kind?: "parallel" | "race" | "consensus" | "map";
  labels?: string[];
  verdict?: Verdict;
  map?: MapFacts;
}

interface Props {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** One run of the board, or the board itself (`null`), as a model of its own. */
function part(model: Model, card: number | null): Model {
  const names: Record<string, string> =
    card === null
      ? { "change:rev": "change:rev", "change:status": "change:status", "change:meta": "change:meta" }
      : { "change:rev": "change:cards" };
  const known = new Map<unknown, (message?: any) => void>();
  return {
    ...(model.widget_manager && { widget_manager: model.widget_manager }),
    get: (name) => (card === null ? model.get(name) : model.get("cards")?.[card]?.[name]),
    on(name, run) {
      const heard = (message?: any) => {
        if (name !== "msg:custom") return run();
        for (const [to, told] of message.cards ?? []) if (to === card) run(told);
      };
      known.set(run, heard);
      const real = name === "msg:custom" ? name : names[name];
      if (real) model.on(real, heard);
    },
    off(name, run) {
      const real = name === "msg:custom" ? name : names[name];
      if (real) model.off(real, known.get(run)!);
    },
    send: (message: any) => model.send(card === null ? message : { ...message, card }),
  };
}

/** A run in its column. */
interface Card {
  el: HTMLElement;
  tokens(): number;
  finish(verdict: Verdict | undefined): void;
  draw(): boolean;
}

function column(
  model: Model,
  label: string,
  format: unknown,
  wide: boolean,
  ask: () => void,
  signal: AbortSignal,
): Card {
  let state = newState();
  let status: Status = "waiting";
  let offset = Infinity; // the page's clock minus the run's, at its smallest
  let error: Meta["error"];
  let stick = true;
  let marked = "";
  const running = () => !ENDED.test(status);
  const tick = (ms = -Infinity) => (offset = min(offset, clock() - ms));

  const word = h("span", "state");
  const badge = h("span", "badge");
  const numbers = h("div", "numbers");
  const cuts = h("div", "cuts");
  const answer = h("div", `answer ${format}`);
  const scroll = h("div", "scroll", answer);
  const failure = h("div", "error");
  const el = h(
    "article",
    "card",
    h("div", "name", h("i", "dot"), h("b", "", label), badge),
    numbers,
    cuts,
    scroll,
    failure,
  );
  let body: Body;
  const fresh = () => {
    answer.replaceChildren();
    body = format === "markdown" ? markdown(answer) : text(answer);
    body.append(state.content);
    marked = "";
  };
  attr(el, "aria-label", label);
  attr(scroll, "role", "region");
  attr(scroll, "aria-label", `Answer of ${label}`);
  scroll.tabIndex = 0;
  fresh();

  const learn = (meta?: Meta) => {
    tick(meta?.now_ms);
    if (meta && "error" in meta) error = meta.error;
  };
  const sink: Sink = {
    ongoing: running,
    load(snapshot) {
      state = rebuild(snapshot.content ?? "", snapshot.events ?? [], state);
      status = snapshot.status ?? status;
      learn(snapshot.meta);
      tick(state.t);
      fresh();
      ask();
    },
    op([kind, value, change]) {
      if (kind === "d") {
        state.content += value;
        body.append(value);
      } else if (kind === "r") {
        body.cut(state.content, value);
        cut(state, value);
      } else if (kind === "e") {
        for (const row of value) fold(state, row);
        tick(state.t);
      } else if (kind === "st") {
        status = value;
        learn(change);
      }
      ask();
    },
    trait() {},
    link: ask,
  };
  const wire = follow(model, sink, signal);
  listen(scroll, "scroll", signal, () => {
    stick = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 32;
  });

  const draw = () => {
    const live = running() && !wire.lost;
    const name = running() && wire.lost ? "lost" : status;
    const now = live ? max(state.t, clock() - offset) : state.t;
    const bars = state.lanes.at(-1)?.bars.filter((bar) => bar.last) ?? [];
    const streamed = bars.length && bars.at(-1)!.to - bars[0]!.from;
    const rate = streamed && ((state.token_count - bars[0]!.first - 1) * 1000) / streamed;
    const first = state.time_to_first_token;
    el.dataset.status = name;
    say(word, NAMES[name] ?? name);
    say(
      numbers,
      join(
        word.textContent,
        state.lanes.length > 1 && count(state.lanes.length, "attempt"),
        /^(retrying|fallback)$/.test(name) && state.why,
        state.token_count && count(state.token_count, "token"),
        now > 0 && seconds(now),
        wide && first !== null && `first token ${seconds(first * 1000)}`,
        rate > 0 && `${rate < 10 ? rate.toFixed(1) : round(rate).toLocaleString("en")} tok/s`,
      ),
    );
    body.draw(running());
    if (cuts.children.length !== state.withdrawn.length)
      cuts.replaceChildren(
        ...state.withdrawn.map((w) =>
          h(
            "details",
            "cut",
            h(
              "summary",
              "",
              `attempt ${w.attempt} · `,
              w.tokens < w.of ? `last ${w.tokens} of ` : "withdrawn after ",
              `${count(w.of, "token")}${w.tokens < w.of ? " withdrawn" : ""}: ${w.why}`,
            ),
            h("del", "text", w.text ?? "(not kept)"),
          ),
        ),
      );
    say(failure, error ? `${error.type}: ${error.message}` : "");
    if (stick && live) scroll.scrollTop = 1e9;
    return live;
  };

  return {
    el,
    draw,
    tokens: () => state.token_count,
    finish(verdict) {
      const at = (verdict && [...(el.parentElement?.children ?? [])].indexOf(el)) ?? -1;
      const told = verdict?.badges[at] ?? "";
      const places = verdict?.spots[at] ?? [];
      say(badge, BADGES[told] ?? "");
      el.dataset.badge = told;
      el.toggleAttribute(
        "data-lost",
        !!verdict && verdict.winner !== null && verdict.winner !== at && status === "aborted",
      );
      if (places.length && marked !== `${places}`) {
        if (marked) fresh();
        body.draw(false);
        spots(answer, places, "differs from the answer that stands");
        marked = `${places}`;
      }
    },
  };
}

/** Draw one board into `el`; returns the clean-up. */
function render({ model, el, signal }: Props): () => void {
  const control = new AbortController();
  const off = control.signal;
  const end = () => control.abort();
  if (signal) atEnd(signal, end);

  // --- what is true ---
  let status: Status = model.get("status");
  let meta: Facts = {};
  let numbered = false; // the status came by numbered messages, which are in order
  let offset = Infinity;
  let stopping = false;
  let cards: Card[] = [];
  let timer: ReturnType<typeof setTimeout>;
  const running = () => !ENDED.test(status);
  const setStatus = (next: Status) => {
    status = next;
    stopping &&= running();
  };

  const ask = frames(() => draw());
  const setMeta = (change?: Facts) => {
    meta = { ...meta, ...change };
    if (change?.now_ms) offset = min(offset, clock() - change.now_ms);
    if (cards.length || !meta.labels) return;
    const { labels, format = "markdown" } = meta;
    const width = WIDTHS.find(([most]) => labels.length <= most)![1];
    cards = labels.map((label, i) => column(part(model, i), label, format, labels.length < 3, ask, off));
    grid.style.gridTemplateColumns = `repeat(auto-fit, minmax(${width}, 1fr))`;
    grid.append(...cards.map((card) => card.el));
  };
  const sink: Sink = {
    ongoing: running,
    load(snapshot) {
      setStatus(snapshot.status);
      setMeta(snapshot.meta);
      ask();
    },
    op([kind, value, change]) {
      if (kind === "st") {
        numbered = true;
        setStatus(value);
        setMeta(change);
      }
      ask();
    },
    trait(name) {
      const value = model.get(name);
      if (name === "meta") setMeta(value);
      else if (ENDED.test(value) || (running() && !numbered)) setStatus(value);
      ask();
    },
    link: ask,
  };

  // --- what is seen ---
  const word = h("b");
  const facts = h("span", "facts");
  const metrics = h("span", "totals");
  const button = h("button");
  const notes = h("div", "notes");
  const grid = h("div", "grid");
  const map = progress();
  const together = h("div", "together");
  const failure = h("div", "error");
  const voice = h("div", "voice");
  const root = h(
    "section",
    "view board",
    h("header", "head", h("i", "dot"), word, facts, metrics, button),
    notes,
    grid,
    map.el,
    together,
    failure,
    voice,
  );
  button.type = "button";
  attr(voice, "role", "status");

  const draw = () => {
    if (off.aborted) return;
    const live = running() && !wire.lost;
    const name = running() && wire.lost ? "lost" : stopping ? "stopping" : status;
    const { verdict, kind = "parallel" } = meta;
    const busy = cards.map((card) => card.draw()).some(Boolean);
    if (!running()) for (const card of cards) card.finish(verdict);
    const now = live ? max(0, clock() - offset) : (meta.now_ms ?? 0);
    const sum = cards.reduce((all, card) => all + card.tokens(), 0);
    say(word, NAMES[name] ?? (kind === "map" && name === "streaming" ? "at work" : name));
    say(
      facts,
      join(kind === "map" ? "map" : `${kind} of ${cards.length}`, meta.model, verdict?.says),
    );
    if (meta.map) {
      map.draw(meta.map, running());
      say(metrics, live || meta.map.elapsed_ms ? seconds(live ? now : meta.map.elapsed_ms) : "");
    } else say(metrics, join(now > 0 && seconds(now), sum && count(sum, "token")));
    say(button, name === "stopping" ? NAMES[name]! : "stop");
    button.disabled = !(live && meta.can_stop && meta.live !== false && wire.heard);
    if (notes.children.length !== (meta.notes?.length ?? 0))
      notes.replaceChildren(...(meta.notes ?? []).map((note) => h("p", "", note)));
    if (verdict?.text && !together.firstChild) {
      const answer = h("div", `answer ${meta.format}`);
      const body = meta.format === "markdown" ? markdown(answer) : text(answer);
      together.append(h("b", "", "Together"), answer);
      body.append(verdict.text);
      body.draw(false);
    }
    const { error } = meta;
    say(failure, error ? [`${error.type}: ${error.message}`, error.hint].filter(Boolean).join(" ") : "");
    attr(root, "aria-label", kind === "map" ? "Map" : "Board");
    if (root.dataset.status !== name) {
      root.dataset.status = name;
      say(voice, join(word.textContent, facts.textContent));
    }
    clearTimeout(timer);
    if (busy || live) timer = setTimeout(ask, kind === "map" ? 250 : 100);
  };

  // --- hands ---
  listen(button, "click", off, () => {
    const before = status;
    if (stopping || !running()) return;
    stopping = true;
    tell(model, { type: "abort" });
    ask();
    setTimeout(() => {
      // A kernel that hears no message while a cell runs can still be interrupted.
      if (status === before && meta.interrupt !== false && !off.aborted)
        model.widget_manager?.kernel?.interrupt?.();
    }, PATIENCE);
  });
  keepKeys(root, off);
  atEnd(off, () => {
    clearTimeout(timer);
    root.remove();
  });

  setMeta(model.get("meta"));
  const wire = follow(part(model, null), sink, off);
  el.append(root);
  draw();
  return end;
}

const join = (...parts: unknown[]): string => parts.filter(Boolean).join(" · ");

export default { render };
