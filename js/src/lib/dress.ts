// What a view gets only when there is a use for it: a module and its style, which the kernel hands
// over as text (`src/extras.ts`).

import { atEnd } from "./dom";
import type { State } from "./fold";
import type { Spot } from "./spots";
import type { Model } from "./wire";

/** What an answer is drawn from; `places` are where it differs from others. */
export type Told = Pick<State, "content" | "violations"> & { places?: Spot[] };
export const sources = new WeakMap<Element, () => Told>();

/** Dress a view as soon as the kernel hands it over. */
export function dress(root: HTMLElement, model: Model, signal: AbortSignal): void {
  let extras: { js: string; css: string } | undefined;
  const put = async () => {
    if (extras || !(extras = model.get("extras"))) return;
    const url = URL.createObjectURL(new Blob([extras.js], { type: "text/javascript" }));
    // A page that takes no modules from a blob does without.
    const { default: run } = await import(/* @vite-ignore */ url);
    run(root, model, extras.css, (answer: Element) => sources.get(answer)?.(), signal);
  };
  const look = () => void put().catch(() => {});
  model.on("change:extras", look);
  atEnd(signal, () => model.off("change:extras", look));
  look();
}
