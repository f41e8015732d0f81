// Build the views into src/l0/notebook/static/: `node build.mjs [--verify]`.
//
// `--verify` builds in memory, compares every byte with what is committed, and fails on a
// difference. The stamp lets Python say without node whether the build is current (stamp.py).

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, version } from "esbuild";
import { INTERNAL } from "./internal.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "src", "l0", "notebook", "static");
const views = ["stream", "explorer", "board", "structured"];
/** What a view is handed when it needs it; its style adds to that of the view. */
const lazy = ["extras"];

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/** One hash of all that decides the output; line ends do not count. Same rule in stamp.py. */
function sources() {
  const entries = readdirSync(join(here, "src"), { withFileTypes: true, recursive: true });
  const names = entries.filter((f) => f.isFile()).map((f) => join(f.parentPath ?? f.path, f.name));
  const lines = [...names, join(here, "build.mjs"), join(here, "internal.mjs")].map((file) => {
    const text = readFileSync(file, "utf8").replaceAll("\r\n", "\n");
    return `${relative(here, file).split(sep).join("/")} ${sha256(text)}\n`;
  });
  return sha256(lines.sort().join(""));
}

/** A module from its entry; a style from what all views share and its own, in this order. */
function entry(view, type) {
  if (type === "js") return { entryPoints: [`src/${view}.ts`] };
  const styles = [...(lazy.includes(view) ? [] : ["lib/view"]), view].map((name) => `@import "./src/${name}.css";`);
  return { stdin: { contents: styles.join(""), loader: "css", resolveDir: here } };
}

async function bundle(view, type) {
  const result = await build({
    absWorkingDir: here,
    ...entry(view, type),
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome111", "firefox115", "safari16.4"],
    charset: "utf8",
    legalComments: "none",
    mangleProps: new RegExp(`^(?:${INTERNAL.join("|")})$`),
    write: false,
    logLevel: "warning",
  });
  return Buffer.from(result.outputFiles[0].contents);
}

const outputs = {};
for (const view of [...views, ...lazy])
  for (const type of ["js", "css"])
    outputs[`${view}.${type}`] = await bundle(view, type);

const stamp = {
  sources: sources(),
  tools: { esbuild: version },
  outputs: Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, sha256(data)])),
};
outputs["stamp.json"] = Buffer.from(`${JSON.stringify(stamp, null, 2)}\n`);

if (process.argv.includes("--verify")) {
  const differs = Object.entries(outputs).filter(([name, data]) => {
    try {
      return !readFileSync(join(target, name)).equals(data);
    } catch {
      return true;
    }
  });
  for (const [name] of differs) console.error(`${name} is not what the sources build`);
  if (differs.length) process.exit(1);
  console.log("the committed build is what the sources build");
} else {
  for (const [name, data] of Object.entries(outputs)) {
    writeFileSync(join(target, name), data);
    console.log(`${name} ${data.length} bytes`);
  }
}
