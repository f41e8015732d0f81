// How far a map is: one bar, its numbers, and what went wrong, each kind of it once.

import { attr, count, digits, h, max, min, round, say, seconds } from "./dom";
import { join } from "./parts";

/** What the kernel says of a map; the names are those of `MapProgress`. */
export interface MapFacts {
  total: number | null;
  done: number;
  ok: number;
  failed: number;
  skipped: number;
  reused: number;
  busy: number;
  retries: number;
  limit: number;
  elapsed_ms: number;
  eta_ms: number | null;
  /** Rows a second of late. */
  rate: number | null;
  used: number;
  cost: string | null;
  stopped: string | null;
  /** Present while the provider asks for a pause. */
  limited?: string | null;
  /** What failed, how often, and in which rows, most frequent first. */
  errors: Array<[message: string, times: number, rows: string]>;
}

const PARTS = ["ok", "reused", "failed", "skipped", "busy"] as const;

export interface ProgressView {
  el: HTMLElement;
  draw(facts: MapFacts, live: boolean): void;
}

export function progress(): ProgressView {
  const parts = PARTS.map((name) => h("i", `part-${name}`));
  const bar = h("div", "meter", ...parts);
  const line = h("p", "done");
  const values = h("div", "values");
  const cells = new Map<string, HTMLElement>();
  const errors = h("ul", "findings");
  const el = h("div", "map", bar, line, values, errors);
  let drawn = "";
  attr(bar, "role", "progressbar");
  attr(bar, "aria-label", "Rows done");
  el.hidden = true;

  /** A number with its name; each has its place, so that none moves another. */
  const cell = (name: string, value: string, kind = "") => {
    let node = cells.get(name);
    if (!node) {
      node = h("span");
      cells.set(name, node);
      values.append(h("div", kind, h("i", "", name), node));
    }
    say(node, value);
    node.parentElement!.className = value === "0" || value === "–" ? "l0-none" : kind && `l0-${kind}`;
  };

  return {
    el,
    draw(f, live) {
      el.hidden = false;
      const made = max(0, f.ok - f.reused);
      const shares = { ...f, ok: made, reused: f.ok - made };
      const whole = max(1, f.total ?? f.done + f.busy);
      PARTS.forEach((name, i) => {
        const share = name === "busy" && !live ? 0 : shares[name];
        const width = `${min(100, (100 * share) / whole).toFixed(2)}%`;
        if (parts[i]!.style.width !== width) parts[i]!.style.width = width;
      });
      const done = f.done - f.skipped; // what was skipped is not done
      const percent = f.total ? min(100, round((100 * done) / f.total)) : null;
      if (percent === null) bar.removeAttribute("aria-valuenow");
      else attr(bar, "aria-valuenow", percent);
      const of = f.total === null ? "" : ` of ${digits(f.total)}`;
      const rest = live && f.eta_ms !== null && f.eta_ms > 0 && `about ${seconds(f.eta_ms)} left`;
      const pause = live && f.limited;
      say(
        line,
        join(
          `${digits(done)}${of} ${f.total === 1 ? "row" : "rows"} done`,
          percent !== null && f.total! > 1 && `${percent} %`,
          rest,
          pause,
          f.stopped,
        ),
      );
      cell("ok", digits(f.ok), "ok");
      cell("failed", digits(f.failed), "failed");
      cell("retried", digits(f.retries), "retried");
      cell("reused", digits(f.reused));
      cell("skipped", digits(f.skipped));
      cell("in flight", live ? `${digits(f.busy)} of ${digits(f.limit)}` : "–");
      cell("rows/s", f.rate === null ? "–" : f.rate < 10 ? f.rate.toFixed(1) : digits(round(f.rate)));
      cell("tokens used", digits(f.used));
      if (f.cost !== null) cell("cost", f.cost);
      const key = JSON.stringify(f.errors);
      if (key !== drawn) {
        drawn = key;
        errors.replaceChildren(
          ...f.errors.map(([message, times, rows]) =>
            h("li", "error", h("b", "", `${count(times, "row")}: `), message, h("span", "hint", ` ${rows}`)),
          ),
        );
      }
    },
  };
}
