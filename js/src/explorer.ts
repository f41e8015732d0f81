// The explorer: recorded runs as a table, one of them in full, two of them side by side.

import { atEnd, attr, count, digits, h, label, listen, role, say } from "./lib/dom";
import { dress } from "./lib/dress";
import { keepKeys } from "./lib/keys";
import { list } from "./lib/list";
import { button, choice, type Facts, moment, recorded } from "./lib/recorded";
import { type Choice, type Differ, sides } from "./lib/sides";
import { type Model, type Row, tell } from "./lib/wire";

interface Line {
  id: string;
  status: string;
  started: number;
  /** What stands in the columns, but for the last one. */
  cells: string[];
}

interface Props {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** By what it is sorted, and its name. */
const COLUMNS = [
  ["status", "Outcome"],
  ["model", "Model"],
  ["prompt", "Prompt"],
  ["attempts", "Attempts"],
  ["token_count", "Tokens"],
  ["first_token", "First token"],
  ["duration", "Duration"],
  ["cost", "Cost"],
  ["started", "Started"],
] as const;
const LINE = 28;
/** Lines that are asked for at a time. */
const PAGE = 100;
/** How long an answer may take before it is asked for again, in ms. */
const PATIENCE = 2500;

/** Draw an explorer into `el`; returns the clean-up. */
function render({ model, el, signal }: Props): () => void {
  const control = new AbortController();
  const off = control.signal;
  const end = () => control.abort();
  if (signal) atEnd(signal, end);

  const title = h("b", "", "Runs");
  const known = h("span", "facts");
  const voice = h("div", "voice");
  const below = h("div");
  const root = h("section", "view explorer");
  label(root, "Explorer");
  role(voice, "status");

  const mode = model.get("mode");

  // --- asking: the latest request of a kind counts, and is repeated until it is answered ---
  let serial = Math.random(); // another view of this model hears the same answers
  const waiting = new Map<string, [n: number, done: (answer: any) => void, timer: any]>();
  const ask = (type: string, message: object, done: (answer: any) => void) => {
    const n = ++serial;
    const send = (again: boolean) => {
      root.toggleAttribute("data-lost", again);
      if (again) say(voice, "The kernel is busy, or gone.");
      waiting.set(type, [n, done, setTimeout(send, PATIENCE, true)]);
      tell(model, { type, n, ...message });
    };
    clearTimeout(waiting.get(type)?.[2]);
    send(false);
  };
  const hear = (answer: any) => {
    const [n, done, timer] = waiting.get(answer?.type) ?? [];
    if (!n || n !== answer.n) return;
    clearTimeout(timer);
    waiting.delete(answer.type);
    root.removeAttribute("data-lost");
    done!(answer);
  };
  model.on("msg:custom", hear);
  atEnd(off, () => {
    model.off("msg:custom", hear);
    for (const [, , timer] of waiting.values()) clearTimeout(timer);
    root.remove();
  });

  // --- one run ---
  let within = new AbortController();
  let pinned: Choice[] = [];
  let opened = "";
  const differ: Differ = (wanted, done) => ask("diff", { sides: wanted }, done);
  const close = () => {
    within.abort();
    within = new AbortController();
    opened = "";
    below.replaceChildren();
  };
  const leave = () => {
    close();
    table.el.focus();
    table.draw(total);
  };
  const fail = (error: string) => below.replaceChildren(h("div", "error", error));
  /** Read a run, part by part. */
  const read = (id: string, done: (facts: Facts, rows: Row[]) => void) => {
    const rows: Row[] = [];
    let facts: Facts;
    const more = (part: number) =>
      ask("open", { id, part }, (answer) => {
        if (answer.error) return fail(answer.error);
        facts ??= answer.facts;
        rows.push(...answer.rows);
        if (part + 1 < answer.parts) {
          below.replaceChildren(h("p", "hint", "Reading…"));
          more(part + 1);
        } else done(facts, rows);
      });
    more(0);
  };
  const open = (id: string, hands = true) => {
    close();
    opened = id;
    read(id, (facts, rows) => {
      const others = pinned.filter(({ side }) => side[0] !== id);
      const pin = button("Pin", within.signal, () => {
        pinned = [{ text: facts.name, side: [id, 0] }];
        say(voice, pin.title);
        say(pin, "Pinned");
      });
      pin.title = "Compare: open another run, and see its attempts";
      const shut = button("Close", within.signal, leave);
      below.replaceChildren(
        recorded(facts, rows, differ, others, hands ? [pin, shut] : [], within.signal),
      );
      say(voice, `Opened: ${facts.name}`);
    });
  };

  // --- the table ---
  const query = { text: "", status: "", model: "", sort: "started" as string, down: true };
  let lines: Line[] = []; // those that are known, by their place
  let total = 0;
  let other = false; // what is asked for is another table: what is shown stays until it is there
  const load = (from: number, refresh = false) =>
    ask("list", { ...query, from, count: PAGE, refresh }, heardList);
  const heardList = (answer: any) => {
    if (answer.error) return fail(answer.error);
    if (other) lines = [];
    other = false;
    total = answer.total;
    answer.rows.forEach((line: Line, i: number) => (lines[answer.from + i] = line));
    say(known, (total === answer.all ? "" : `${digits(total)} of `) + count(answer.all, "run"));
    options(status, answer.statuses);
    options(models, answer.models);
    root.toggleAttribute("data-costs", answer.costs);
    empty.hidden = total > 0;
    grid.hidden = !total;
    say(empty, answer.empty);
    table.draw(total);
  };
  const again = (refresh = false) => {
    other = true;
    table.go(0, true);
    load(0, refresh);
  };
  const options = (select: HTMLSelectElement, values: string[]) => {
    for (const value of values)
      if (![...select.options].some((option) => option.value === value))
        select.append(h("option", "", value));
  };

  const table = list(
    LINE,
    (i, row) => {
      const line = lines[i];
      if (!line && !waiting.has("list")) load(i - (i % PAGE));
      row.dataset.status = line?.status ?? "";
      row.toggleAttribute("data-open", !!line && line.id === opened);
      return COLUMNS.map(([key], at) => {
        const said = line ? (line.cells[at] ?? moment(line.started)) : "…";
        const box = h("span", `c ${key}`, !at && h("i", "dot"), said);
        if (at === 1 || at === 2) box.title = said; // they may be cut short
        role(box, "gridcell");
        return box;
      });
    },
    {
      enter(i) {
        const line = lines[i];
        if (line) open(line.id);
        table.draw(total);
      },
    },
    off,
  );
  role(table.el, "rowgroup");
  const heads = COLUMNS.map(([key, name], i) => {
    const sort = button(name, off, () => {
      query.down = query.sort === key ? !query.down : i > 2; // words from A, numbers from the largest
      query.sort = key;
      mark();
      again();
    });
    const head = h("span", `c ${key}`, sort);
    role(head, "columnheader");
    return head;
  });
  const mark = () =>
    heads.forEach((head, i) => {
      const on = COLUMNS[i]![0] === query.sort;
      attr(head, "aria-sort", on ? (query.down ? "descending" : "ascending") : "none");
    });
  const row = h("div", "heads", ...heads);
  role(row, "row");
  const grid = h("div", "grid", row, table.el);
  role(grid, "grid", "Runs");
  const empty = h("p", "empty");
  const search = h("input");
  search.type = "search";
  search.placeholder = "Filter";
  label(search, "Filter by text");
  let timer: ReturnType<typeof setTimeout>;
  listen(search, "input", off, () => {
    clearTimeout(timer);
    timer = setTimeout(changed, 150);
  });
  const changed = () => {
    const chosen = (el: HTMLSelectElement) => (el.selectedIndex ? el.value : "");
    query.text = search.value;
    query.status = chosen(status);
    query.model = chosen(models);
    again();
  };
  const status = choice("Outcome", ["any outcome"], changed, off);
  const models = choice("Model", ["any model"], changed, off);
  const fresh = button("Refresh", off, () => again(true));
  const keep = button("Keep", off, () => tell(model, { type: "keep" }));
  keep.title = "Leave a plain table that can be saved";
  const kept = model.get("can_keep") && keep; // not where no output is saved
  const tools = h("header", "head", title, known, search, status, models, fresh, kept);

  listen(root, "keydown", off, (event: KeyboardEvent) => {
    if (event.key === "Escape" && opened && mode === "runs") leave();
  });
  keepKeys(root, off);

  // --- what is shown first ---
  const ids: string[] = model.get("ids");
  if (mode === "runs") {
    root.append(tools, empty, grid);
    mark();
    heardList(model.get("table"));
    load(0); // what came since
  } else if (mode === "run") open(ids[0]!, false);
  else {
    const texts: Choice[] = model.get("texts");
    const second = texts.findIndex(({ side }) => side[0] === ids[1]);
    below.append(sides(texts, [0, second], differ, off));
  }
  root.append(below, voice);
  el.append(root);
  dress(root, model, off);
  return end;
}

export default { render };
