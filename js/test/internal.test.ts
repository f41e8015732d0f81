// The build shortens some property names; these must be names that nobody else knows.

import { expect, test } from "vitest";
// @ts-expect-error a plain module of the build
import { INTERNAL } from "../internal.mjs";

const sources: Record<string, string> = (import.meta as any).glob("../src/**/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});
const code = Object.entries(sources)
  .filter(([name]) => !name.endsWith(".gen.ts"))
  .map(([name, text]) => [name, text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")] as const);
const wire = Object.entries(sources).find(([name]) => name.endsWith("events.gen.ts"))![1];

/** Every property that some object of the page or the language has. */
function known(): Set<string> {
  const names = new Set<string>();
  for (const scope of [globalThis, window]) {
    for (const name of Object.getOwnPropertyNames(scope)) {
      names.add(name);
      let value: any;
      try {
        value = (scope as any)[name];
      } catch {
        continue; // a getter that wants a real page
      }
      for (const object of [value, value?.prototype])
        if (object && /^(object|function)$/.test(typeof object))
          for (const own of Object.getOwnPropertyNames(object)) names.add(own);
    }
  }
  return names;
}

test.each(INTERNAL as string[])("%s is a name of ours only", (name) => {
  const uses = code.filter(([, text]) => new RegExp(`\\b${name}\\b`).test(text));
  expect(uses.length, "it is used").toBeGreaterThan(0);
  expect(known().has(name), "it is a name of the browser's").toBe(false);
  expect(new RegExp(`^  ${name}\\??:`, "m").test(wire), "it is on the wire").toBe(false);
  for (const [file, text] of code)
    expect(text, file).not.toMatch(new RegExp(`["'\`]${name}["'\`]`));
});
