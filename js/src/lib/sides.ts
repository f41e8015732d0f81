// Two texts side by side, with what only one of them says.

import { h, label, listen, role, say } from "./dom";

/** Run and attempt; attempt 0 is the text that stands. */
export type Side = [id: string, attempt: number];
export interface Choice {
  text: string;
  side: Side;
}
/** Whether both say it, the words of the left one, those of the right one. */
export type Part = [same: boolean, left: string, right: string];
export type Differ = (
  sides: Side[],
  done: (answer: { parts?: Part[]; alike?: string; error?: string }) => void,
) => void;

/** Two columns, each with a choice of texts; `picked` are the first ones shown. */
export function sides(
  choices: Choice[],
  picked: [number, number],
  differ: Differ,
  signal: AbortSignal,
): HTMLElement {
  const note = h("p", "hint");
  const columns = ["Left text", "Right text"].map((name, at) => {
    const select = h("select", "", ...choices.map(({ text }) => h("option", "", text)));
    const body = h("div", "side-text");
    select.selectedIndex = picked[at]!;
    label(select, name);
    body.tabIndex = 0;
    role(body, "region", name);
    listen(select, "change", signal, () => ask());
    return { select, body, el: h("div", "side", select, body) };
  });
  const ask = () => {
    const wanted = columns.map(({ select }) => choices[select.selectedIndex]!.side);
    differ(wanted, ({ parts = [], alike, error }) => {
      say(note, alike ?? error ?? "");
      columns.forEach(({ body }, at) =>
        body.replaceChildren(
          ...parts.map((part) => {
            const text = part[at + 1] as string;
            return part[0] || !text ? text : h(at ? "ins" : "del", "", text);
          }),
        ),
      );
    });
  };
  role(note, "status");
  ask();
  return h("div", "sides", note, ...columns.map(({ el }) => el));
}
