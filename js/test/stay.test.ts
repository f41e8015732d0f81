import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stay } from "../src/lib/stay";

let now = 0;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

/** An output of a notebook with the view of a run in it, whose answer is 1000 px high in 300. */
function open() {
  const area = document.body.appendChild(document.createElement("div"));
  area.className = "jp-OutputArea";
  area.innerHTML = `<div><div class="l0-said" style="margin: 5px;">earlier</div></div>
    <div><section><div class="l0-scroll"></div></section></div>`;
  const root = area.querySelector("section")!;
  const scroll = root.firstElementChild!;
  Object.defineProperties(scroll, { scrollHeight: { value: 1000 }, clientHeight: { value: 300 } });
  const control = new AbortController();
  stay(root, control.signal);
  const read = (top: number, ms = 2000) => {
    scroll.scrollTop = top;
    scroll.dispatchEvent(new Event("scroll"));
    now += ms;
  };
  /** The page puts what stays in the place of the view. */
  const swap = (html: string, end = () => control.abort()) => {
    const place = root.parentElement!;
    place.remove();
    end();
    area.insertAdjacentHTML("beforeend", `<div><div><p>head</p>${html}<p>below</p></div></div>`);
  };
  return { area, read, swap, control };
}
const SAID = '<div class="l0-said" style="margin: 7px 0px; max-width: 52em;">answer</div>';
const box = (area: Element) => area.querySelector<HTMLElement>("[role=region]");

test("The answer that stays has the room of the live one, and is at the same place.", async () => {
  const { area, read, swap } = open();
  read(120);
  swap(SAID);
  await Promise.resolve();
  const boxed = box(area)!;
  expect(boxed.textContent).toBe("answer");
  expect(boxed.style.cssText).toContain("max-height: max(60vh, 20em); overflow: auto");
  expect(boxed.style.margin).toBe("7px 0px");
  expect((boxed.firstElementChild as HTMLElement).style.margin).toBe("0px");
  expect([boxed.scrollTop, boxed.tabIndex]).toEqual([120, 0]);
  expect(area.querySelector<HTMLElement>(".l0-said")!.style.margin, "an earlier one").toBe("5px");
});

test("Who followed the answer to its end still is there; what came at once begins.", async () => {
  for (const [seen, ms, top] of [
    [690, 2000, 1e9],
    [690, 300, 0],
    [undefined, 0, 0],
  ] as const) {
    const { area, read, swap } = open();
    if (seen) read(seen, ms);
    swap(SAID);
    await Promise.resolve();
    expect(box(area)!.scrollTop).toBe(top);
    document.body.replaceChildren();
  }
});

test("What became of data stays in sight above its values, on the page's own ground.", async () => {
  const { area, swap } = open();
  document.body.style.backgroundColor = "rgb(1, 2, 3)";
  swap('<div class="l0-said"><div style="display:flex">Log valid</div><p>values</p></div>');
  await Promise.resolve();
  const verdict = [...area.querySelectorAll<HTMLElement>("[role=region] .l0-said > *")];
  expect(verdict.map((el) => el.style.position)).toEqual(["sticky", ""]);
  expect(verdict[0]!.style.backgroundColor).toBe("rgb(1, 2, 3)");
  document.body.removeAttribute("style");
});

test("What the reader opened is open, and what only one of the two has is let be.", async () => {
  const { area, swap } = open();
  const root = area.querySelector("section")!;
  root.insertAdjacentHTML("afterbegin", "<details></details><details open></details>");
  root.insertAdjacentHTML("afterbegin", "<details hidden open></details>");
  root.querySelector(".l0-scroll")!.innerHTML = "<details open></details>";
  const inside = SAID.replace("answer", "<details></details>");
  swap(`<details></details><details></details>${inside}<details></details>`);
  await Promise.resolve();
  const all = [...area.querySelectorAll("details")].map((el) => el.open);
  expect(all).toEqual([false, true, false, false]);
});

test("The order in which a page does it makes no difference.", async () => {
  const { area, swap, control } = open();
  swap(SAID, () => {});
  await Promise.resolve();
  expect(box(area)).toBeNull();
  control.abort();
  expect(box(area)).not.toBeNull();
});

test("A view that is closed leaves what comes much later alone.", async () => {
  const { area, swap } = open();
  swap("");
  vi.advanceTimersByTime(1000);
  area.insertAdjacentHTML("beforeend", SAID);
  await Promise.resolve();
  expect(box(area)).toBeNull();
});

test("Elsewhere than in a notebook nothing is waited for.", () => {
  const root = document.body.appendChild(document.createElement("section"));
  root.innerHTML = '<div class="l0-scroll"></div>';
  const control = new AbortController();
  stay(root, control.signal);
  control.abort();
  expect(vi.getTimerCount()).toBe(0);
});

test("Plain keys scroll the answer that has the focus, and stay out of the notebook.", async () => {
  const { area, swap } = open();
  swap(SAID);
  await Promise.resolve();
  const boxed = box(area)!;
  const leaked = vi.fn();
  area.addEventListener("keydown", leaked);
  const press = (init: KeyboardEventInit) =>
    boxed.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
  boxed.focus();
  press({ key: "ArrowDown" });
  expect(leaked).not.toHaveBeenCalled();
  press({ key: "s", ctrlKey: true });
  expect(leaked).toHaveBeenCalledOnce();
  boxed.blur();
  press({ key: "ArrowDown" });
  expect(leaked).toHaveBeenCalledTimes(2);
});
