// The stream view of a run that was asked for data: its values fill in as they come.

import { h, say } from "./lib/dom";
import { more } from "./lib/fold";
import type { Body } from "./lib/markdown";
import { text } from "./lib/text";
import { tree } from "./lib/tree";
import type { Meta } from "./lib/wire";
import { view } from "./stream";

/** What the kernel tells of the data, beside the text it is made of. */
interface Facts extends Meta {
  schema?: string;
  fields?: string[];
  verdict?: "arriving" | "valid" | "invalid";
  /** The validated value, where it is not what the text says. */
  data?: unknown;
  corrected?: string[];
  faults?: string[];
}

/** An answer that was no valid data is withdrawn for what was wrong with it. */
more.SCHEMA_VALIDATION_ERROR = (s, p, mark) => {
  const told = (p.errors as any[]).map((e) => (e.path ? `${e.path}: ` : "") + e.message);
  mark("violation", `not valid: ${told.slice(0, 3).join("; ")}`);
  s.causes.guardrail_violation = `not valid${told.length ? `: ${told[0]}` : ""}`;
};

function data(root: HTMLElement): Body {
  const name = h("b");
  const verdict = h("span", "verdict");
  const corrected = h("span", "hint");
  const rows = h("ul", "tree");
  const faults = h("ul", "findings");
  root.append(h("div", "what", name, verdict, corrected), rows, faults);
  const body = tree(rows);
  let told = "";
  return {
    ...body,
    facts(meta: Facts) {
      const found = meta.verdict ?? "arriving";
      say(name, meta.schema ?? "");
      verdict.className = `l0-verdict l0-${found}`;
      say(
        verdict,
        { valid: "✓ valid", invalid: "✗ not valid" }[found as string] ??
          (meta.live === false ? "incomplete" : "so far"),
      );
      say(corrected, meta.corrected?.length ? `corrected: ${meta.corrected.join(", ")}` : "");
      body.expect(meta.fields ?? []);
      if (meta.data !== undefined && told !== (told = JSON.stringify(meta.data)))
        body.set(meta.data);
      faults.replaceChildren(
        ...(found === "invalid" ? (meta.faults ?? []) : []).map((fault) => h("li", "error", fault)),
      );
    },
  };
}

export default {
  render: view((format, root) => (format === "data" ? data(root) : text(root))),
};
