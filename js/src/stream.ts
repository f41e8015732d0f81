// The stream view: what a run says, what was withdrawn, what befell it, as it happens.

import {
  atEnd,
  attr,
  clock,
  count,
  div,
  frames,
  h,
  type Kid,
  label,
  listen,
  max,
  min,
  role,
  round,
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
import { text } from "./lib/text";
import { strip } from "./lib/timeline";
import { follow, type Meta, type Model, type Sink, type Status } from "./lib/wire";

interface Props {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

type Bodies = (format: string, root: HTMLElement) => Body;

/** What draws one view of a run into `el`, its answer by `bodyOf`, and returns the clean-up. */
export const view = (bodyOf: Bodies) => ({ model, el, signal }: Props): (() => void) => {
  const control = new AbortController();
  const off = control.signal;
  const end = () => control.abort();
  if (signal) atEnd(signal, end);

  // --- what is true ---
  let state = newState();
  let status: Status = model.get("status");
  let meta: Meta = {};
  let numbered = false; // the status came by numbered messages, which are in order
  let offset = Infinity; // the page's clock minus the run's, at its smallest
  let stopping = false;
  let stick = true; // the reader is at the end of the answer
  let body: Body = undefined!; // made with the first facts, which say the format
  let format: unknown;
  let timer: number | false | undefined; // to the next drawing, while it is live

  const running = () => !ENDED.test(status);
  const setStatus = (next: Status) => {
    status = next;
    stopping &&= running();
  };
  /** The run's clock read `ms` now, or a little earlier. */
  const tick = (ms = -Infinity) => (offset = min(offset, clock() - ms));
  const setMeta = (change?: Meta) => {
    meta = { ...meta, ...change };
    tick(change?.now_ms);
    const next = meta.format ?? "markdown";
    if (format !== next) {
      format = next;
      answer.replaceChildren();
      answer.className = `l0-answer l0-${next}`;
      body = bodyOf(next, answer);
      body.append(state.content);
    }
    body.facts?.(meta);
  };

  const ask = frames(() => draw());
  const sink: Sink = {
    ongoing: running,
    load(snapshot) {
      const shown = state.content;
      offset = Infinity; // it may be another run, which began later
      state = rebuild(snapshot.content, snapshot.events, state);
      // What is drawn already stays, where the text has only grown.
      if (state.content.startsWith(shown)) body?.append(state.content.slice(shown.length));
      else format = "";
      setStatus(snapshot.status);
      setMeta(snapshot.meta);
      tick(state.t);
      ask();
    },
    op([kind, value, change]) {
      if (kind === "d") {
        state.content += value;
        body.append(value);
      } else if (kind === "r") {
        // What is withdrawn leaves its room to what comes, so that nothing below jumps up and down.
        scroll.style.minHeight = scroll.offsetHeight + "px";
        body.cut(state.content, value);
        cut(state, value);
      } else if (kind === "e") {
        for (const row of value) fold(state, row);
        tick(state.t);
      } else if (kind === "st") {
        numbered = true;
        setStatus(value);
        setMeta(change);
      }
      ask();
    },
    trait(name) {
      const value = model.get(name);
      if (name === "meta") setMeta(value);
      // A trait may be overtaken by the numbered messages: it never takes back what they said.
      else if (ENDED.test(value) || (running() && !numbered)) setStatus(value);
      ask();
    },
    link: ask,
  };

  // --- what is seen ---
  const word = h("b");
  const facts = h("span", "facts");
  const metrics = h("span", "metrics");
  const button = h("button");
  const notes = div("notes");
  const cuts = div("cuts");
  const think = thinking();
  const answer = div();
  const scroll = div("scroll", answer);
  const found = h("ul", "findings");
  const tools = div("tools");
  const failure = div("error");
  const reading = h("span", "reading");
  const voice = div("voice");
  const time = strip((sentence) => say(reading, sentence || closing), off);
  const root = h(
    "section",
    "view",
    h("header", "head", h("i", "dot"), word, facts, metrics, button),
    notes,
    cuts,
    think.el,
    scroll,
    found,
    tools,
    failure,
    time.el,
    h("p", "line", reading, h("span", "legend", h("i"), h("i"), h("i"), h("i"), h("i"))),
    voice,
  );
  let closing = "";
  sources.set(answer, () => state);
  scroll.tabIndex = 0; // where it is long, the arrow keys scroll it
  label(root, "Stream");
  role(scroll, "region", "Answer");
  role(voice, "status");

  /** Draw a list anew, but only when `key` says that it differs; what was open stays open. */
  const list = (parent: Element & { key?: string }, key: unknown, kids: () => Kid[]) => {
    if (parent.key === `${key}`) return;
    parent.key = `${key}`;
    const next = kids().filter(Boolean) as any[];
    next.forEach((kid, i) => (kid.open = (parent.children[i] as any)?.open));
    parent.replaceChildren(...next);
  };

  const draw = () => {
    if (off.aborted) return;
    const live = running() && !wire.lost;
    const now = live ? max(state.t, clock() - offset) : state.t;
    body.draw(running());
    drawHead(live, now);
    drawParts(live);
    if (!live) scroll.removeAttribute("style");
    if (stick && (live || timer)) scroll.scrollTop = 1e9; // also the last time
    time.draw(state, now, live);
    clearTimeout(timer as number);
    timer = live && setTimeout(ask, min(100, max(33, time.pixel())));
  };

  const drawHead = (live: boolean, now: number) => {
    const name = running() && wire.lost ? "lost" : stopping ? "stopping" : status;
    const length = seconds(now);
    const tokens = count(state.token_count, "token");
    const tries = state.lanes.length;
    const many = tries > 1 && count(tries, "attempt");
    const progress = state.last_progress;
    const why = /^(re|fall)/.test(name) && state.why;
    const shown = NAMES[name] ?? name;
    say(word, shown);
    say(
      facts,
      join(
        meta.model ?? state.model,
        state.fallback_index && `fallback ${state.fallback_index}`,
        many && `attempt ${tries}`,
        live && progress?.percent != null && `${round(progress.percent)} %`,
        live && progress?.message,
        why,
      ),
    );
    const first = state.time_to_first_token;
    const values = [
      length,
      first != null && `first token ${seconds(first * 1000)}`,
      state.token_count && tokens,
      speed(state),
    ];
    list(metrics, values, () => values.map((value) => h("span", "", value as Kid)));
    say(button, name === "stopping" ? shown : running() ? "stop" : "copy");
    button.disabled = running()
      ? !(live && meta.can_stop && meta.live !== false && wire.heard)
      : !state.content;
    closing =
      live || status === "unfinished"
        ? ""
        : join(
            many,
            ...(status === "complete"
              ? [many && `${tries - 1} recovered`, `${tokens} in ${length}`]
              : [`${shown} after ${length}`, `${tokens} kept`]),
            meta.usage,
          );
    attr(root, "data-status", name);
    say(voice, join(shown, why, closing));
  };

  const drawParts = (live: boolean) => {
    const { withdrawn, violations } = state;
    const { notes: said = [] } = meta;
    const fault = !live && meta.error;
    list(notes, said, () => said.map((note) => h("p", "", note)));
    list(
      cuts,
      withdrawn.map((w) => w.t + (w.text ?? "")),
      () => withdrawn.map(cutOff),
    );
    think.draw(state);
    list(found, [violations.length, withdrawn.length], () => violations.map(finding));
    list(tools, JSON.stringify([state.tools, state.data_outputs]), () => beside(state));
    list(failure, fault && fault.type + fault.message, () =>
      fault
        ? [
            h("b", "", fault.type),
            fault.message && h("p", "", fault.message),
            h("p", "hint", ...ticks(fault.hint)),
          ]
        : [],
    );
  };

  // --- hands ---
  listen(button, "click", off, () => {
    if (!running()) return navigator.clipboard.writeText(state.content);
    if (stopping) return;
    const before = status;
    stopping = true;
    stop(model, () => status === before && meta.interrupt !== false && !off.aborted);
    ask();
  });
  listen(scroll, "scroll", off, () => {
    stick = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 32;
  });
  keepKeys(root, off);
  atEnd(off, () => {
    clearTimeout(timer as number);
    root.remove();
  });

  const wire = follow(model, sink, off);
  setMeta(model.get("meta"));
  el.append(root);
  draw();
  dress(root, model, off);
  return end;
};

/** Without a mark of purity, other views would carry the Markdown along. */
export default {
  render: /* @__PURE__ */ view((format, root) =>
    (format === "markdown" ? markdown : text)(root),
  ),
};
