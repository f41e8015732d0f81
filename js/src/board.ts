// The board: several runs side by side and what they came to, or how far a map is.

import {
  atEnd,
  attr,
  clock,
  count,
  div,
  frames,
  h,
  listen,
  max,
  min,
  role,
  say,
  seconds,
  ticks,
} from "./lib/dom";
import { dress, sources } from "./lib/dress";
import { cut, fold, newState, rebuild } from "./lib/fold";
import { keepKeys } from "./lib/keys";
import { type Body, markdown } from "./lib/markdown";
import { NAMES } from "./lib/names";
import { beside, cutOff, ENDED, finding, join, speed, stop, thinking } from "./lib/parts";
import { type MapFacts, progress } from "./lib/progress";
import type { Spot } from "./lib/spots";
import { text } from "./lib/text";
import { follow, type Meta, type Model, type Sink, type Status } from "./lib/wire";

/** How wide a column is at least, in em, by how many there are. As `_board_static.py` has it. */
const WIDTHS = [0, 24, 24, 17, 15];
const MANY = 19;
/** A model, and which of its runs it is: that stays where the name has no room. */
const LABEL = /^([^]*?)( · \d+)?$/;
const SIGNS: Record<string, string> = { winner: "✓", agrees: "✓", similar: "≈", differs: "≠" };

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
  /** What the board's own model calls it; of a card only the whole of it is told. */
  const real = (name: string) =>
    card === null || name === "msg:custom" ? name : name === "change:rev" && "change:cards";
  const callbacks = new Map<unknown, (message?: any) => void>();
  return {
    ...(model.widget_manager && { widget_manager: model.widget_manager }),
    get: (name) => (card === null ? model.get(name) : model.get("cards")?.[card]?.[name]),
    on(name, run) {
      const heard = (message?: any) => {
        if (name !== "msg:custom") return run();
        for (const [to, told] of message.cards ?? []) if (to === card) run(told);
      };
      callbacks.set(run, heard);
      const known = real(name);
      if (known) model.on(known, heard);
    },
    off(name, run) {
      const known = real(name);
      if (known) model.off(known, callbacks.get(run)!);
    },
    send: (message: any) => model.send(card === null ? message : { ...message, card }),
  };
}

/** Say what failed, as the static form does. */
function blame(el: Element, error: Meta["error"]): void {
  if (error && !el.firstChild)
    el.append(h("b", "", error.type), h("p", "", error.message), h("p", "hint", ...ticks(error.hint)));
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
  let places: Spot[] = [];
  let added = "";
  const running = () => !ENDED.test(status);
  const tick = (ms = -Infinity) => (offset = min(offset, clock() - ms));

  const badge = h("span", "badge");
  const numbers = div("numbers");
  const cuts = div("cuts");
  const answer = div(`answer ${format}`);
  const scroll = div("scroll", answer);
  const found = h("ul", "findings");
  const tools = div();
  const failure = div("error");
  const think = thinking();
  const [, long, nth] = LABEL.exec(label)!;
  const title = h("b", "", h("span", "", long), nth);
  const el = h(
    "article",
    "card",
    div("name", h("i", "dot"), title, badge),
    numbers,
    cuts,
    think.el,
    scroll,
    found,
    tools,
    failure,
  );
  let body: Body;
  const fresh = () => {
    answer.replaceChildren();
    body = format === "markdown" ? markdown(answer) : text(answer);
    body.append(state.content);
  };
  title.title = label;
  attr(el, "aria-label", label);
  role(scroll, "region", `Answer of ${label}`);
  sources.set(answer, () => ({ ...state, places }));
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
    const first = state.time_to_first_token;
    el.dataset.status = name;
    say(
      numbers,
      join(
        NAMES[name] ?? name,
        state.lanes.length > 1 && count(state.lanes.length, "attempt"),
        /^(re|fall)/.test(name) && state.why,
        state.token_count && count(state.token_count, "token"),
        (wide || !live) && now > 0 && seconds(now), // in narrow columns the head tells it
        wide && first !== null && `first token ${seconds(first * 1000)}`,
        speed(state),
      ).replace(/(\d) /g, "$1\u00a0"), // a number and its unit share a line
    );
    body.draw(running());
    if (cuts.children.length !== state.withdrawn.length)
      cuts.replaceChildren(...state.withdrawn.map(cutOff));
    if (found.children.length !== state.violations.length)
      found.replaceChildren(...state.violations.map(finding));
    think.draw(state);
    const next = JSON.stringify([state.tools, state.data_outputs]);
    if (added !== next) tools.replaceChildren(...beside(state));
    added = next;
    blame(failure, error);
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
      places = verdict?.spots[at] ?? [];
      say(badge, told && `${SIGNS[told]} ${told}`);
      el.dataset.badge = told;
      el.toggleAttribute(
        "data-lost",
        !!verdict && verdict.winner !== null && verdict.winner !== at && status === "aborted",
      );
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
    const width = WIDTHS[labels.length] ?? MANY;
    cards = labels.map((label, i) => column(part(model, i), label, format, labels.length < 3, ask, off));
    grid.style.gridTemplateColumns = `repeat(auto-fit, minmax(${width}em, 1fr))`;
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
  const notes = div("notes");
  const grid = div("grid");
  const map = progress();
  const together = div("together");
  const failure = div("error");
  const voice = div("voice");
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
  role(voice, "status");

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
      const answer = div(`answer ${meta.format}`);
      const body = meta.format === "markdown" ? markdown(answer) : text(answer);
      together.append(h("b", "", "Together"), answer);
      body.append(verdict.text);
      body.draw(false);
    }
    blame(failure, meta.error);
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
    stop(model, () => status === before && meta.interrupt !== false && !off.aborted);
    ask();
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
  dress(root, model, off);
  return end;
}

export default { render };
