// What the views of a run have in common: the words of its head, what was withdrawn, what was found,
// and the button that stops it.

import { count, digits, h, round, say, seconds, ticks, words } from "./dom";
import type { GuardrailViolation } from "./events.gen";
import type { State, Withdrawn } from "./fold";
import { type Model, tell } from "./wire";

/** Complete, failed, aborted, unfinished: what a run that goes on is not. */
export const ENDED = /(ed|te)$/;
/** How long the kernel has to hear of a stop before it is interrupted, in ms. */
const PATIENCE = 1500;

export const join = (...parts: unknown[]): string => parts.filter(Boolean).join(" · ");

/** `60 tok/s`, while the last attempt streamed. */
export function speed(state: State): string | false {
  const bars = state.lanes.at(-1)?.bars.filter((bar) => bar.last) ?? [];
  const streamed = bars[0] && bars.at(-1)!.to - bars[0].from;
  const rate = streamed && ((state.token_count - bars[0]!.first - 1) * 1000) / streamed;
  return rate! > 0 && `${rate! < 10 ? rate!.toFixed(1) : digits(round(rate!))} tok/s`;
}

/** Text that was withdrawn, folded below when and why. */
export const cutOff = (w: Withdrawn): HTMLElement =>
  h(
    "details",
    "cut",
    h(
      "summary",
      "",
      `attempt ${w.attempt} · `,
      w.tokens < w.of ? `last ${w.tokens} of ` : "withdrawn after ",
      count(w.of, "token"),
      w.tokens < w.of && " withdrawn",
      `: ${w.why}`,
    ),
    h("del", "text", w.text ?? "(not kept)"),
    ...w.violations.map(finding),
  );

/** A finding of a guardrail, in a line. */
export const finding = (v: GuardrailViolation): HTMLElement =>
  h(
    "li",
    v.severity ?? "error",
    h("b", "", words(v.rule)),
    `: ${v.message}`,
    v.position != null && ` (at character ${v.position})`,
    v.suggestion && h("span", "hint", " ", ...ticks(v.suggestion)),
  );

/** What the model said of its thinking, folded. */
export function thinking(): { el: HTMLElement; draw(state: State): void } {
  const text = h("div", "text");
  const el = h("details", "think", h("summary"), text);
  return {
    el,
    draw({ thoughts }) {
      el.hidden = !thoughts;
      say(el.firstElementChild!, `Reasoning · ${count(thoughts.length, "character")}`);
      say(text, thoughts);
    },
  };
}

/** What came beside the text: calls of tools, folded over what they were given and gave, and data. */
export const beside = ({ tools, data_outputs }: State): HTMLElement[] => [
  ...tools.map((tool) =>
    h(
      "details",
      "tool",
      h(
        "summary",
        "",
        join(tool.tool_name, tool.status, tool.duration_ms && seconds(tool.duration_ms)),
      ),
      ...[tool.arguments, tool.error ?? tool.result].map(
        (value) => value !== undefined && h("pre", "", JSON.stringify(value, null, 2)),
      ),
    ),
  ),
  ...data_outputs.map((data) => h("p", "", data.mime_type ?? data.content_type)),
];

/** Ask the kernel to stop; one that hears no message while a cell runs is interrupted. */
export function stop(model: Model, deaf: () => unknown): void {
  tell(model, { type: "abort" });
  setTimeout(() => deaf() && model.widget_manager?.kernel?.interrupt?.(), PATIENCE);
}
