// The timeline strip: a lane per attempt, bars for what it did, marks for what befell it.

import { atEnd, attr, count, div, floor, listen, max, min, role, round, say, seconds } from "./dom";
import { GAP, type State } from "./fold";

const SQUARE = "m-3-3h6v6h-6z";
/** Shapes around a point, so that no meaning hangs on colour alone. */
const SHAPES: Record<string, string> = {
  retry: "m-3 2a4 4 0 1 0 0-4m-1-2v3h3",
  fallback: "m-4-3h8l-4 7z",
  violation: "m0-4 4 7h-8z",
  drift: "m-5 1c2-5 3-5 5-1s3 4 5-1",
  checkpoint: "m0 13v4",
  resume: "m-3-4 7 4-7 4z",
  timeout: "m-4-4h8l-8 8h8z",
  error: "m-3-3 6 6m0-6-6 6",
  tool: SQUARE,
  cut: "m-4 0h8",
  stop: SQUARE,
  done: "m-4 0 3 3 5-6",
};
/** One path element a pen, however much it draws. */
const PENS = [
  "grid",
  "wait",
  "back",
  "stream",
  "again",
  "lost",
  "now",
  "pick",
  ...Object.keys(SHAPES),
];

const LANE = 26;
export const LEFT = 24;
const RIGHT = 14;
const TICKS = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 36000];
const SVG = "http://www.w3.org/2000/svg";

export interface Strip {
  el: HTMLElement;
  /** Draw the story as of `now` (ms); `live` keeps some room ahead and draws the present. */
  draw(story: State, now: number, live: boolean): void;
  /** Milliseconds that are one pixel wide: how often a tick is worth a frame. */
  pixel(): number;
}

/** Make a strip; `read` is given the sentence for what is pointed at, or nothing. */
export function strip(read: (text: string) => void, signal: AbortSignal): Strip {
  const make = (name: string, parent: Element) =>
    parent.appendChild(document.createElementNS(SVG, name));
  const knob = div("knob");
  const el = div("strip", knob);
  const svg = make("svg", el);
  const labels = make("g", svg);
  const pens = PENS.map((pen) => {
    const path = make("path", svg);
    attr(path, "class", `l0-k l0-k-${pen}`);
    return path;
  });
  attr(svg, "aria-hidden", "true");
  role(knob, "slider", "Timeline");
  knob.tabIndex = 0;

  let width = 640;
  let scale = 1; // ms a pixel
  let items: Array<{ t: number; lane: number; x: number; text: string }> = [];
  let picked = -1;
  let again = () => {};

  const pick = (index: number) => {
    const item = items[index];
    picked = item ? index : -1;
    attr(pens[7]!, "d", item ? `M${item.x} ${item.lane * LANE}v${LANE}` : "");
    const value = { now: picked + 1, max: items.length, text: item?.text ?? "arrow keys read it" };
    for (const [name, is] of Object.entries(value)) attr(knob, `aria-value${name}`, is);
    read(item?.text ?? "");
  };

  const draw = (story: State, now: number, live: boolean) => {
    const { lanes, marks } = story;
    const height = (lanes.length || 1) * LANE;
    // Live, the axis grows in steps, so that the picture rescales seldom.
    let until = live ? 2000 : story.t || 1;
    while (live && until < now * 1.08) until *= 1.5;
    scale = until / (width - LEFT - RIGHT);
    const x = (t: number) => round((LEFT + t / scale) * 10) / 10;
    const paths: Record<string, string> = {};
    const put = (pen: string, path: string) => (paths[pen] = (paths[pen] ?? "") + path);
    let texts = 0;
    const label = (at: number, y: number, text: string) => {
      const node = labels.children[texts++] ?? make("text", labels);
      attr(node, "x", at);
      attr(node, "y", y);
      say(node, text);
    };
    items = [];

    const step = TICKS.find((s) => (s * 1000) / scale > 72)!;
    for (let s = 0; s * 1000 <= until; s += step) {
      put("grid", `M${x(s * 1000)} 0v${height}`);
      label(x(s * 1000), height + 13, s && s % 60 === 0 ? `${s / 60} min` : `${+s.toFixed(1)} s`);
    }
    const names = lanes.map(({ fallback, bars }, lane) => {
      const y = lane * LANE + 19;
      const name = `attempt ${lane + 1}${fallback ? ` on fallback ${fallback}` : ""}`;
      label(8, y + 4, fallback ? `F${fallback}` : `${lane + 1}`);
      for (const { kind, from, to, first, last, kept } of bars) {
        const end = min(to, now);
        const a = x(from);
        const w = max(x(end) - a, 1.5);
        const bar = (pen: string, at: number, wide: number) =>
          wide > 0.1 && put(pen, `M${at} ${y - 4}h${wide}v8h${-wide}z`);
        let text = kind === "wait" ? "waiting" : "back-off";
        if (last) {
          const stands = max(0, kept - first);
          const good = (w * stands) / (last - first);
          bar(lane ? "again" : "stream", a, good);
          bar("lost", a + good, w - good);
          text = count(last - first, "token");
          if (kept < last) text += `, ${stands ? last - kept : "all"} withdrawn`;
        } else put(kind, `M${a} ${y}h${w}`);
        items.push({
          t: from,
          lane,
          x: a,
          text: `${seconds(from)} – ${seconds(end)} · ${name} · ${text}`,
        });
      }
      return name;
    });
    const end = lanes.at(-1)?.bars.at(-1)?.to ?? now;
    if (live && now - end > GAP) put("wait", `M${x(end)} ${height - 7}H${x(now)}`);
    if (live) put("now", `M${x(now)} 0v${height}`);

    const taken: Record<string, number> = {};
    for (const { kind, t, lane, text } of marks) {
      // Marks of one moment stand side by side; checkpoints closer than a pixel are one.
      const tick = kind === "checkpoint";
      const row = lane + (tick ? kind : "");
      const room = (taken[row] ?? -99) + (tick ? 1 : 12);
      let at = x(t);
      if (!tick) at = min(max(at, room), width - 6);
      items.push({
        t,
        lane: max(lane, 0),
        x: at,
        text: `${seconds(t)} · ${names[lane] ?? "run"} · ${text}`,
      });
      if (at < room && tick) continue;
      taken[row] = at;
      put(kind, `M${at} ${max(lane, 0) * LANE + 7}${SHAPES[kind]}`);
    }
    items.sort((a, b) => a.t - b.t);
    PENS.forEach((pen, i) => pen === "pick" || attr(pens[i]!, "d", paths[pen] ?? ""));
    while (labels.children.length > texts) labels.lastChild!.remove();
    attr(svg, "width", width);
    attr(svg, "height", height + 18);
    pick(picked);
  };

  listen(knob, "keydown", signal, (event: KeyboardEvent) => {
    const to = {
      ArrowRight: min(items.length - 1, picked + 1),
      ArrowLeft: max(0, picked - 1),
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pick(to);
  });
  listen(knob, "blur pointerleave", signal, () => pick(-1));
  listen(knob, "pointermove pointerdown", signal, (event: PointerEvent) => {
    const px = event.offsetX;
    const lane = floor(event.offsetY / LANE);
    // The nearest one, or the bar one stands on.
    let best = -1;
    let near = Infinity;
    items.forEach((item, i) => {
      const far = max(item.x - px, px - item.x);
      if (item.lane === lane && item.x < px + 8 && far <= near) {
        best = i;
        near = far;
      }
    });
    pick(best);
  });
  const sizes = new ResizeObserver(([entry]) => {
    width = floor(entry!.contentRect.width) || width;
    again();
  });
  sizes.observe(el);
  atEnd(signal, () => sizes.disconnect());

  return {
    el,
    draw(...seen) {
      again = () => draw(...seen);
      again();
    },
    pixel: () => scale,
  };
}
