// What a view gets when there is a use for it: code in colours, buttons that copy, findings under
// their words, what differs between answers, and a button that runs a simulated run again. A module of
// its own, which the kernel hands over with the first code block or finding, or at the end; a page that
// refuses it does without.

import { type Language, language, type Open, type Piece, pieces } from "./lib/code";
import { copy } from "./lib/copy";
import { atEnd, h, listen, role, say } from "./lib/dom";
import type { Told } from "./lib/dress";
import { underline } from "./lib/found";
import { spots } from "./lib/spots";
import { stay } from "./lib/stay";
import { type Model, tell } from "./lib/wire";

/** A longer block keeps its colours up to here. */
const MOST = 200_000;
/** Characters that are coloured at once; the rest has to wait for the next frame. */
const STEP = 24_000;
/** How long a button says what it did, in ms. */
const MOMENT = 2000;
/** How long the kernel may take to begin again, in ms. */
const PATIENCE = 5000;

/** What has an answer of its own, and where the button that copies it stands. */
const PLACES = ".l0-card > .l0-name, .l0-run > .l0-head";
/** Code, and answers that are shown as they were written, in which there may be some. */
const BLOCK = ".l0-answer pre, .l0-raw";
const ALL = `${PLACES}, ${BLOCK}`;
/** Where code begins and ends in what is not drawn as Markdown. */
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s{]*)/;
/** Complete, failed, aborted, unfinished: what a run that goes on is not. */
const ENDED = /(ed|te)$/;

/** A part of a block that has been looked at, its text node that grows, and what was open before. */
interface Part {
  el: Element;
  end: Text;
  before: Fenced;
}

/** What a line leaves open, and the code it is in. */
interface Fenced extends Open {
  fence?: string | undefined;
  code?: Language | undefined;
}
/** Finds the pieces of a line; what is open is changed. */
type Reader = (line: string, open: Fenced) => Piece[];

interface Block {
  lang: string;
  parts: Part[];
  /** What is open where `line` begins. */
  open: Fenced;
  /** The unfinished line at the end, which is drawn anew when it has grown, and how it is drawn. */
  line: string;
  drawn: Node[];
  size: number;
}

/**
 * Equip a view until the signal aborts.
 *
 * `root` is the view, `css` the style of what is added, `told` what an answer is drawn from.
 */
export default function extras(
  root: HTMLElement,
  model: Model,
  css: string,
  told: (answer: Element) => Told | undefined,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const stop = root.querySelector<HTMLButtonElement>(".l0-head button")!;
  const voice = h("span", "voice");
  role(voice, "status");
  root.append(voice);
  wear(root, css, signal);
  stay(root, signal);

  /** Copy, and say so on the button for a moment. */
  const take = async (what: string, button: HTMLElement, label: string, done: string) => {
    await copy(what, button);
    say(button, done);
    say(voice, "Copied");
    setTimeout(() => {
      if (button.textContent === done) say(button, label);
      say(voice, "");
    }, MOMENT);
  };
  listen(
    root,
    "click",
    signal,
    (event: Event) => {
      if (event.target !== stop || !/^cop/.test(stop.textContent!)) return;
      event.stopPropagation();
      take(written(root), stop, "copy", "copied");
    },
    true,
  );
  if (model.get("meta")) again(model, stop, voice, signal);
  /** The answer in a part of the view, as it was written. */
  const written = (el: Element) => told(el.querySelector(".l0-answer")!)?.content ?? "";
  const button = (classes: string, label: string, text: () => string) => {
    const el = h("button", classes, label);
    el.type = "button";
    listen(el, "click", signal, () => take(text(), el, label, "Copied"));
    return el;
  };
  const marks = (blocks: Blocks) => {
    for (const answer of root.querySelectorAll(".l0-answer:not(.l0-data)")) {
      const facts = told(answer);
      const status = answer.closest<HTMLElement>("[data-status]")?.dataset.status ?? "";
      const goesOn = !ENDED.test(status);
      // A line of code that goes on is left alone, and a block whose colours are still to come.
      const skip = (node: Node) =>
        blocks.busy(node) || (goesOn && answer.lastChild!.contains(node) && blocks.open(node));
      if (facts) underline(answer, facts, skip, goesOn);
      const places = facts?.places ?? [];
      const busy = [...answer.querySelectorAll("pre")].some(blocks.busy);
      if (places.length && !busy && !answer.querySelector(".l0-differs"))
        spots(answer, places, "differs from the answer that stands");
    }
  };
  watch(root, signal, {
    pre: (pre) =>
      button("copy", "Copy", () =>
        [...pre.querySelectorAll(".l0-part")].map((part) => part.textContent).join(""),
      ),
    place: (place) => button("take", "Copy", () => written(place.parentElement!)),
    marks,
  });
}

/** A button beside the one that stops or copies, while the kernel says that it may run again. */
function again(model: Model, stop: Element, voice: Element, signal: AbortSignal): void {
  const button = h("button", "again", "Run again");
  let timer: ReturnType<typeof setTimeout>;
  const draw = () => {
    clearTimeout(timer);
    button.hidden = !model.get("meta").can_again;
    button.disabled = false;
  };
  button.type = "button";
  listen(button, "click", signal, () => {
    button.disabled = true;
    say(voice, "");
    tell(model, { type: "again" });
    timer = setTimeout(() => {
      draw();
      say(voice, "The kernel does not answer");
    }, PATIENCE);
  });
  model.on("change:meta", draw);
  atEnd(signal, () => model.off("change:meta", draw));
  stop.before(button);
  draw();
}

interface Blocks {
  /** Whether a node is in a block that has not got all of its colours. */
  busy(node: Node): boolean;
  /** Whether a node is in a line that is drawn anew when it has grown. */
  open(node: Node): boolean;
}
interface Hands {
  pre(pre: Element): HTMLElement;
  place(place: Element): HTMLElement;
  marks(blocks: Blocks): void;
}

/** Attend to code and answers below `root`, as they come and grow. */
function watch(root: Element, signal: AbortSignal, hands: Hands): void {
  const blocks = new WeakMap<Element, Block>();
  const waiting = new Set<Element>();
  const around = (node: Node) =>
    (node instanceof Element ? node : node.parentElement!).closest(BLOCK)!;
  const busy = (node: Node) => waiting.has(around(node));
  const open = (node: Node) => !!blocks.get(around(node))?.drawn.some((el) => el.contains(node));
  /** See to blocks, and to what stands in them. */
  const see = (all: Iterable<Element>) => {
    for (const el of all) attend(el);
    hands.marks({ busy, open });
    watcher.takeRecords(); // what was done here
  };
  const attend = (el: Element) => {
    if (el.matches(PLACES)) {
      if (!el.querySelector(".l0-take")) el.append(hands.place(el));
      return;
    }
    if (el.matches("pre:not(.l0-block)")) el.firstElementChild!.after(hands.pre(el));
    el.classList.add("l0-block");
    if (paint(el, blocks)) return;
    if (!waiting.size)
      requestAnimationFrame(() => {
        const all = [...waiting];
        waiting.clear();
        if (!signal.aborted) see(all);
      });
    waiting.add(el);
  };
  const watcher = new MutationObserver((records) => {
    const changed = new Set<Element>();
    for (const { target, addedNodes } of records) {
      const el = target instanceof Element ? target : target.parentElement;
      const block = el?.closest(BLOCK);
      if (block) changed.add(block);
      else
        for (const node of addedNodes)
          if (node instanceof Element)
            for (const each of [node, ...node.querySelectorAll(ALL)])
              if (each.matches(ALL)) changed.add(each);
    }
    see([...changed].filter((el) => root.contains(el)));
  });
  watcher.observe(root, {
    childList: true,
    subtree: true,
    characterData: true,
    attributeFilter: ["data-status"],
  });
  atEnd(signal, () => watcher.disconnect());
  see(root.querySelectorAll(ALL));
}

/** Dress the page, or the shadow root, that `el` is in. */
function wear(el: Element, css: string, signal: AbortSignal): void {
  const root = el.getRootNode();
  const place = root instanceof ShadowRoot ? root : document;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  place.adoptedStyleSheets.push(sheet);
  atEnd(signal, () => {
    place.adoptedStyleSheets = place.adoptedStyleSheets.filter((each) => each !== sheet);
  });
}

/** Colour what has been added to a block; whether that is all of it. */
function paint(pre: Element, blocks: WeakMap<Element, Block>): boolean {
  const raw = pre.matches(".l0-raw");
  const lang = raw ? "" : pre.firstElementChild!.textContent!;
  const code = language(lang);
  const read: Reader | undefined = raw
    ? fenced
    : code && ((line, open) => pieces(code, line, open));
  let block = blocks.get(pre);
  if (block?.lang !== lang) {
    for (const { el } of block?.parts ?? []) plain(el);
    block = { lang, parts: [], open: {}, line: "", drawn: [], size: 0 };
    blocks.set(pre, block);
  }
  if (!read) return true;

  // A part whose text was replaced since begins anew, and so does what came after it.
  const { parts } = block;
  for (let i = 0; i < parts.length; i++) {
    const { el, end, before } = parts[i]!;
    if (el.parentNode === pre && el.lastChild === end) continue;
    for (const gone of parts.splice(i)) if (gone.el.lastChild === gone.end) plain(gone.el);
    Object.assign(block, { open: { ...before }, line: "", drawn: [] });
  }

  let left = STEP;
  let el = parts.at(-1)?.el ?? pre.querySelector(":scope > .l0-part");
  for (; el && block.size < MOST; el = el.nextElementSibling) {
    let part = parts.at(-1);
    if (part?.el !== el) {
      part = { el, end: el.lastChild as Text, before: { ...block.open } };
      parts.push(part);
      block.line = "";
      block.drawn = [];
    }
    const { end } = part;
    // The break that ends the line before stays in the node, by which the block tells its size.
    const kept = block.drawn.length || block.line || el.firstChild === end ? 0 : 1;
    if (end.length <= kept) continue;
    if (left <= 0) return false;
    const fresh = end.data.slice(kept);
    left -= fresh.length;
    block.size += fresh.length;
    const lines = (block.line + fresh).split("\n");
    const last = lines.pop()!;
    const made: Piece[] = kept ? [["", "\n"]] : [];
    for (const line of lines) made.push(...read(line, block.open), ["", "\n"]);
    for (const node of block.drawn) node.parentNode?.removeChild(node);
    block.line = last;
    block.drawn = last ? draw(read(last, { ...block.open })) : [];
    if (!last) made.pop();
    end.before(...draw(made), ...block.drawn);
    end.data = last ? "" : "\n";
  }
  return true;
}

/** Pieces as nodes, as few as will do. */
function draw(all: Piece[]): Node[] {
  const nodes: Node[] = [];
  let plain = "";
  for (const [kind, text] of [...all, ["o", ""] as Piece]) {
    if (kind) {
      if (plain) nodes.push(new Text(plain));
      if (text) nodes.push(h("span", `t${kind}`, text));
      plain = "";
    } else plain += text;
  }
  return nodes;
}

/** The reader of text that has code between fences. */
const fenced: Reader = (line, open) => {
  const [, fence, name] = FENCE.exec(line) ?? [];
  if (open.fence) {
    if (!fence?.startsWith(open.fence) || name)
      return (open.code ? pieces(open.code, line, open) : [["", line] as Piece]).map(
        ([kind, text]) => [kind || "p", text],
      );
    open.fence = open.code = open.rule = open.inside = undefined;
  } else if (fence) {
    open.fence = fence;
    open.code = language(name!);
  }
  return [["", line]];
};

/** Let a part have its text in one node again, the one that grows. */
function plain(el: Element): void {
  const end = el.lastChild as Text;
  const text = el.textContent!;
  el.replaceChildren(end);
  end.data = text;
}
