import { expect, test } from "vitest";
import { language, type Open, pieces } from "../src/lib/code";
import corpus from "./xss.json";

const NAMES =
  "python json bash javascript typescript sql html css yaml toml diff c cpp java go rust".split(" ");

/** The pieces that have a kind, as `kind:text`, of all lines. */
function kinds(lang: string, source: string): string[] {
  const code = language(lang)!;
  const open: Open = {};
  const told = source.split("\n").map((line) => pieces(code, line, open));
  expect(told.map((line) => line.map(([, text]) => text).join("")).join("\n")).toBe(source);
  return told.flatMap((line) => line.filter(([kind]) => kind).map(([kind, text]) => kind + ":" + text));
}

test.each([
  ["python", "def f(x): # a", ["k:def", "f:f", "c:# a"]],
  ["py", 'x = """a\nb""" + rb"c"', ["o:=", 's:"""a', 's:b"""', "o:+", 's:rb"c"']],
  ["python", `f"{a['b']} {{c}}"`, ['s:f"', `s: {{c}}"`]],
  ["python", "@a.b\nclass C:\n  x = 1e-3", ["f:@a.b", "k:class", "f:C", "o:=", "n:1e-3"]],
  ["JSON", '{"a": -1.5, "b": null}', ['a:"a"', "n:-1.5", 'a:"b"', "k:null"]],
  ["bash", 'A=1 if [ "$B" ] # c', ["f:A", "k:if", 's:"', "f:$B", 's:"', "c:# c"]],
  ["js", "/* a\n*/ let x = `a${b}\nc`", ["c:/* a", "c:*/", "k:let", "o:=", "s:`a", "s:c`"]],
  ["js", "return /a[/]b/g.test(x / 2)", ["k:return", "s:/a[/]b/g", "o:/", "n:2"]],
  ["ts", "class A { readonly b: string }", ["k:class", "f:A", "k:readonly", "k:string"]],
  ["sql", "SELECT 'a''b' -- c", ["k:SELECT", "s:'a''b'", "c:-- c"]],
  ["html", '<!-- a\n--><b c="d">&amp;</b>', ["c:<!-- a", "c:-->", "f:b", "a:c", 's:"d"', "n:&amp;", "f:b"]],
  ["html", "<script>let a\n</script><p>let", ["f:script", "k:let", "f:script", "f:p"]],
  ["css", "@media { .a { top: 1px } }", ["a:media", "f:a", "a:top", "n:1px"]],
  ["yaml", "a: 'b' # c\n- d: e", ["a:a", "s:'b'", "c:# c", "a:d"]],
  ["toml", '[a]\nb = "c"', ["f:[a]", "a:b", 's:"c"']],
  ["diff", "@@ a\n+b\n-c", ["f:@@ a", "i:+b", "d:-c"]],
  ["rust", "fn f() -> u8 {} // a", ["k:fn", "f:f", "o:->", "k:u8", "c:// a"]],
])("%s: %j", (lang, source, told) => {
  expect(kinds(lang, source)).toEqual(told);
});

test("A name that is not in the table is no language.", () => {
  for (const name of ["", "brainfuck", "constructor", "__proto__"])
    expect(language(name)).toBeUndefined();
});

test("Every character of every payload is kept, in every language.", () => {
  for (const name of NAMES) kinds(name, corpus.join("\n"));
});

test("A line that a machine made is plain, and leaves open what was open.", () => {
  const code = language("python")!;
  const open: Open = {};
  pieces(code, '"""a', open);
  const long = "x = 1;".repeat(1000);
  expect(pieces(code, long, open)).toEqual([["", long]]);
  expect(pieces(code, 'b"""', open)).toEqual([["s", 'b"""']]);
});

test("No line costs more than its length allows, whatever it repeats.", () => {
  const units = ['"', "<", "/*", "\\", "(", "`", "${", "'", " ", "{{", "-", "a: ", "1e", "1.", '["', "$ "];
  for (const name of NAMES) {
    const code = language(name)!;
    const begin = performance.now();
    for (const a of units)
      for (const b of units) pieces(code, (a + b).repeat(1000).slice(0, 2000), {});
    // 256 lines of 2,000 characters; one that went through all ways to match would take minutes.
    expect(performance.now() - begin, name).toBeLessThan(8000);
  }
});
