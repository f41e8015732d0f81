// What a view gets when there is a use for it: code in colours, buttons that copy it, and one that
// runs a simulated run again. A module of its own, which the kernel hands over with the first code
// block or at the end; a page that refuses it shows the code plain.

import { language, type Open, pieces } from "./lib/code";
import { copy } from "./lib/copy";
import { atEnd, h, listen, role, say } from "./lib/dom";
import { type Model, tell } from "./lib/wire";

/** A longer block keeps its colours up to here. */
const MOST = 200_000;
/** Characters that are coloured at once; the rest has to wait for the next frame. */
const STEP = 24_000;
/** How long a button says what it did, in ms. */
const MOMENT = 2000;
/** How long the kernel may take to begin again, in ms. */
const PATIENCE = 5000;

/** A part of a block that has been looked at, its text node that grows, and what was open before. */
interface Part {
  el: Element;
  end: Text;
  before: Open;
}

interface Block {
  lang: string;
  parts: Part[];
  /** What is open where `line` begins. */
  open: Open;
  /** The unfinished line at the end, which is drawn anew when it has grown, and how it is drawn. */
  line: string;
  drawn: Node[];
  size: number;
}

/**
 * Equip a view until the signal aborts.
 *
 * `root` is the view, `css` the style of what is added, `text` gives the answer as it was written.
 */
export default function extras(
  root: HTMLElement,
  model: Model,
  css: string,
  text: () => string,
  signal: AbortSignal,
): void {
  if (signal.aborted) return;
  const answer = root.querySelector<HTMLElement>(".l0-answer")!;
  const stop = root.querySelector<HTMLButtonElement>(".l0-head button")!;
  const voice = h("span", "voice");
  role(voice, "status");
  root.append(voice);
  wear(root, css, signal);

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
      take(text(), stop, "copy", "copied");
    },
    true,
  );
  again(model, stop, voice, signal);
  watch(answer, signal, (pre) => {
    const el = h("button", "copy", "Copy");
    el.type = "button";
    listen(el, "click", signal, () => {
      const parts = [...pre.querySelectorAll(".l0-part")];
      take(parts.map((part) => part.textContent).join(""), el, "Copy", "Copied");
    });
    return el;
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

/** Attend to the code blocks in `answer`, as they come and grow; each gets a button. */
function watch(
  answer: Element,
  signal: AbortSignal,
  button: (pre: Element) => HTMLElement,
): void {
  const blocks = new WeakMap<Element, Block>();
  const waiting = new Set<Element>();
  const attend = (pre: Element) => {
    if (!pre.classList.contains("l0-block")) pre.firstElementChild!.after(button(pre));
    pre.classList.add("l0-block");
    if (paint(pre, blocks)) return;
    if (!waiting.size)
      requestAnimationFrame(() => {
        const all = [...waiting];
        waiting.clear();
        if (signal.aborted) return;
        all.forEach(attend);
        watcher.takeRecords();
      });
    waiting.add(pre);
  };
  const watcher = new MutationObserver((records) => {
    const changed = new Set<Element>();
    for (const { target, addedNodes } of records) {
      const pre = (target instanceof Element ? target : target.parentElement)?.closest("pre");
      if (pre) changed.add(pre);
      else
        for (const node of addedNodes)
          if (node instanceof Element)
            for (const each of node.matches("pre") ? [node] : node.querySelectorAll("pre"))
              changed.add(each);
    }
    for (const pre of changed) if (answer.contains(pre)) attend(pre);
    watcher.takeRecords(); // what was done here
  });
  watcher.observe(answer, { childList: true, subtree: true, characterData: true });
  atEnd(signal, () => watcher.disconnect());
  answer.querySelectorAll("pre").forEach(attend);
  watcher.takeRecords();
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
  const lang = pre.firstElementChild!.textContent!;
  const code = language(lang);
  let block = blocks.get(pre);
  if (block?.lang !== lang) {
    for (const { el } of block?.parts ?? []) plain(el);
    block = { lang, parts: [], open: {}, line: "", drawn: [], size: 0 };
    blocks.set(pre, block);
  }
  if (!code) return true;

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
    const made: Node[] = kept ? [new Text("\n")] : [];
    for (const line of lines) {
      draw(made, pieces(code, line, block.open));
      made.push(new Text("\n"));
    }
    for (const node of block.drawn) node.parentNode?.removeChild(node);
    block.line = last;
    block.drawn = [];
    if (last) draw(block.drawn, pieces(code, last, { ...block.open }));
    else made.pop();
    end.before(...made, ...block.drawn);
    end.data = last ? "" : "\n";
  }
  return true;
}

/** Put pieces behind other nodes. */
function draw(nodes: Node[], line: ReturnType<typeof pieces>): void {
  for (const [kind, text] of line) nodes.push(kind ? h("span", `t${kind}`, text) : new Text(text));
}

/** Let a part have its text in one node again, the one that grows. */
function plain(el: Element): void {
  const end = el.lastChild as Text;
  const text = el.textContent!;
  el.replaceChildren(end);
  end.data = text;
}
