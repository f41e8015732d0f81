// The words of a line of code by what they are, for colours: line by line, with what stays open.
//
// A table of rules, not a parser: each rule is a pattern and the kind of what it matches, the first
// one that matches wins, and the text between two matches is plain. A construct that may go on over
// the end of the line says by which pattern it ends. No pattern backtracks over what it has read.

/**
 * Keyword, string, number, comment, name that is defined, attribute or key, operator, inserted,
 * deleted; the same as in `_code.py`. And plain code, where it stands in other text.
 */
export type Kind = "k" | "s" | "n" | "c" | "f" | "a" | "o" | "i" | "d" | "p" | "";
/** A piece of a line; plain text has no kind. */
export type Piece = [kind: Kind, text: string];

/** Its kind, how it begins, how it ends if that may be lines away, and what is put into it. */
type Rule = [kind: Kind, begin: string, end?: string, into?: [kind: Kind, pattern: string]];

export interface Language {
  rules: Rule[];
  /** All rules in one, a group each. */
  pattern: RegExp;
}

/** What a line leaves open for the next one. */
export interface Open {
  /** The rule that has not ended. */
  rule?: Rule | undefined;
  /** The language inside of a tag, and the tag. */
  inside?: Language | undefined;
  tag?: string | undefined;
}

/** A longer line is drawn plain. */
const LONG = 2000;

const words = (list: string): string => `\\b(?:${list.trim().replace(/\s+/g, "|")})\\b`;
const DOUBLE = `"(?:[^"\\\\]|\\\\.)*"?`;
const SINGLE = `'(?:[^'\\\\]|\\\\.)*'?`;
const QUOTED: Rule[] = [
  ["s", DOUBLE],
  ["s", SINGLE],
];
const NUMBER: Rule = [
  "n",
  "\\b(?:0[xXbBoO][\\da-fA-F_]+|\\d[\\d_]*(?:\\.\\d[\\d_]*)?(?:[eE][+-]?\\d+)?)[a-z]*\\d*\\b",
];
const SIGNED: Rule = ["n", `-?${NUMBER[1]}`];
const OPERATOR: Rule = ["o", ":?[-+*/%=<>!&|^~]+"];
const SLASHES: Rule[] = [
  ["c", "//.*"],
  ["c", "/\\*", ".*?\\*/"],
];
const HASH: Rule = ["c", "(?<![^\\s])#.*"];
const TYPES: Rule = ["f", "(?<=\\b(?:class|interface|enum|struct|trait|func|fn|type) +)\\w+"];

/** A formatted string, with the values that are put into it. */
const F = "\\b(?:[fF][rR]?|[rR][fF])";
const FIELD: Rule[3] = ["", "(?<!\\{)(?:\\{\\{)*\\{(?!\\{)[^{}]*\\}"];
const PLAIN = "(?:\\b[rbuRBU]{1,2})?";
const TRIPLE = `(?:[^"\\\\]|\\\\.|"(?!""))*"""`;
const TRIPLE_SINGLE = `(?:[^'\\\\]|\\\\.|'(?!''))*'''`;

const PYTHON: Rule[] = [
  ["s", `${F}"""`, TRIPLE, FIELD],
  ["s", `${F}'''`, TRIPLE_SINGLE, FIELD],
  ["s", `${F}(?:${DOUBLE}|${SINGLE})`, "", FIELD],
  ["s", `${PLAIN}"""`, TRIPLE],
  ["s", `${PLAIN}'''`, TRIPLE_SINGLE],
  ["s", `${PLAIN}(?:${DOUBLE}|${SINGLE})`],
  ["c", "#.*"],
  ["f", "(?<=\\b(?:def|class) +)\\w+|(?<=^ *)@[\\w.]+"],
  [
    "k",
    words(`False None True and as assert async await break class continue def del elif else except
      finally for from global if import in is lambda nonlocal not or pass raise return try while
      with yield`),
  ],
  ["k", "(?<=^ *)(?:match|case)(?= .*:)"],
  NUMBER,
  OPERATOR,
];
const SCRIPT: Rule[] = [
  ...SLASHES,
  ["s", "`", "(?:[^`\\\\]|\\\\.)*`", ["", "\\$\\{[^{}]*\\}"]],
  ...QUOTED,
  ["s", "(?<=(?:^|[=(,:;!&|?{}]|return) *)/(?![/*])(?:[^/\\\\[]|\\\\.|\\[(?:[^\\]\\\\]|\\\\.)*\\])+/[a-z]*"],
  ["f", "(?<=\\b(?:function\\*?|class|interface|enum) +)[\\w$]+|@\\w+"],
  [
    "k",
    words(`async await break case catch class const continue debugger default delete do else export
      extends false finally for from function if import in instanceof let new null of return static
      super switch this throw true try typeof undefined var void while with yield`),
  ],
  NUMBER,
  OPERATOR,
];
const TYPED: Rule[] = [
  [
    "k",
    words(`abstract any as bigint boolean declare enum implements infer interface is keyof namespace
      never number object private protected public readonly satisfies string symbol unknown`) +
      "(?! *[:(.=])|\\btype(?= +\\w+.*=)",
  ],
  ...SCRIPT,
];
const STYLE: Rule[] = [
  ["c", "/\\*", ".*?\\*/"],
  ...QUOTED,
  ["k", "!important"],
  ["a", "(?<=@)[\\w-]+|(?<=^ +|[{;] *)[\\w-]+(?= *:)"],
  ["n", "(?<=[ :,(])#[\\da-fA-F]{3,8}(?= *[;,)!}]|$)|(?<![\\w-])-?\\d*\\.?\\d+(?:%|[a-z]+)?"],
  ["f", "(?<=(?<![\\w)])[.#])[A-Za-z_][\\w-]*"],
];
const MARKUP: Rule[] = [
  ["c", "<!--", ".*?-->"],
  ["c", "<[!?][^>]*>"],
  ["f", "(?<=</?)[A-Za-z][\\w:.-]*"],
  ["", ">"],
  ["a", "[\\w:@.-]+(?==[\"'{])"],
  ["s", `(?<==)(?:"[^"]*"?|'[^']*'?)`],
  ["n", "&#?\\w+;"],
];
const FAMILY = words(`abstract as async auto await bool boolean break byte case catch chan char class
  const constexpr continue crate default defer delete do double dyn else enum error explicit export
  extends extern false final finally float fn for friend func go goto if impl implements import in
  inline instanceof int interface let long loop map match mod move mut namespace new nil null nullptr
  operator override package private protected pub public range ref return select self short signed
  sizeof static string struct super switch template this throw throws trait true try type typedef
  typename union unsafe unsigned use using var virtual void volatile where while yield`);

const VARIABLE = "\\$(?:\\w+|\\{[^}]*\\}|[@#?$!*-])";

const GRAMMARS: Record<string, Rule[]> = {
  "python py python3 py3 ipython pycon": PYTHON,
  "json jsonc json5 jsonl": [
    ...SLASHES,
    ["a", `${DOUBLE}(?= *:)`],
    ["s", DOUBLE],
    ["k", words("true false null")],
    SIGNED,
  ],
  "bash sh shell zsh": [
    HASH,
    ["s", `\\$?"`, `(?:[^"\\\\]|\\\\.)*"`, ["f", VARIABLE]],
    ["s", `\\$?'`, "[^']*'"],
    ["f", `${VARIABLE}|(?<=^ *|[ ;])\\w+(?==)`],
    [
      "k",
      `(?<![\\w./-])${words(
        "if fi else while in do done for then return function case select continue until esac elif",
      )}(?![\\w./=-])`,
    ],
  ],
  "javascript js jsx mjs cjs node": SCRIPT,
  "typescript ts tsx mts": TYPED,
  "sql mysql postgresql postgres sqlite": [
    ["c", "--.*"],
    ["c", "/\\*", ".*?\\*/"],
    ["s", "'", "(?:[^']|'')*'"],
    [
      "k",
      words(`add all alter analyze and any as asc between begin by cascade case cast check column
        commit constraint create cross database default delete desc distinct drop else end except
        exists explain false fetch first following foreign from full function grant group having if
        in index inner insert intersect into is join key last lateral left like limit materialized
        natural not null nulls offset on only or order outer over partition preceding primary range
        recursive references replace returning revoke right rollback row rows select set table temp
        temporary then to transaction trigger true truncate unbounded union unique update using
        values view when where window with bigint boolean char date decimal double float int integer
        interval json jsonb numeric real serial smallint text time timestamp uuid varchar`.replace(
        /[a-z]/g, (c) => `[${c}${c.toUpperCase()}]`)),
    ],
    NUMBER,
    OPERATOR,
  ],
  "html xml svg xhtml vue": MARKUP,
  "css scss less": STYLE,
  "yaml yml": [
    HASH,
    ["a", `(?<=^ *(?:- +)?)[\\w./<][^#:"'{}\\[\\]]*(?=:(?: |$))`],
    ["s", `(?<=[ [,{])(?:${DOUBLE}|'[^']*'?)|^ *(?:- +)?${DOUBLE}`],
    ["f", "(?<=[ [,{])[&*!][\\w!-]+"],
  ],
  "toml ini cfg": [
    ["c", "[#;].*"],
    ["f", "(?<=^ *)\\[.*\\](?= *(?:#.*)?$)"],
    ["a", `(?<=^ *)[\\w."-]+(?= *=)`],
    ...QUOTED,
    ["k", words("true false")],
    NUMBER,
  ],
  "diff patch": [
    ["i", "^\\+.*"],
    ["d", "^-.*"],
    ["f", "^(?:@@|diff |index |Index: ).*"],
  ],
  "c cpp c++ h hpp java go golang rust rs": [
    ...SLASHES,
    ["s", `"(?:[^"\\\\]|\\\\.)*"?|'(?:[^'\\\\]|\\\\.[\\da-fxu{}]*)'|\`[^\`]*\`?`],
    ["c", "(?<=^ *)#\\[?.*"],
    TYPES,
    ["f", "@\\w+"],
    ["k", `${FAMILY}|\\b(?:[iuf](?:8|16|32|64|128)|[iu]size)\\b`],
    NUMBER,
    OPERATOR,
  ],
};

const known = new Map<string, Language>();
const compiled = new Map<Rule[], Language>();

/** The language of this name, if it is one of those in the table. */
export function language(name: string): Language | undefined {
  if (!known.size)
    for (const [names, rules] of Object.entries(GRAMMARS))
      for (const each of names.split(" ")) known.set(each, compile(rules));
  return known.get(name.toLowerCase());
}

function compile(rules: Rule[]): Language {
  let made = compiled.get(rules);
  if (!made) {
    const pattern = new RegExp(rules.map(([, begin]) => `(${begin})`).join("|"), "g");
    compiled.set(rules, (made = { rules, pattern }));
  }
  return made;
}

/** The pieces of a line without its break; `open` is what the line before left, and is changed. */
export function pieces(code: Language, line: string, open: Open): Piece[] {
  if (line.length > LONG) return [["", line]];
  const out: Piece[] = [];
  let at = 0;
  const put = (kind: Kind, till: number) => {
    const text = line.slice(at, till);
    const last = out.at(-1);
    at = till;
    if (!text) return;
    const before = out.at(-2);
    if (last?.[0] === kind) last[1] += text;
    else if (kind && before?.[0] === kind && !last![1].trim()) {
      before[1] += last![1] + text; // the fewer pieces, the lighter the page
      out.pop();
    } else out.push([kind, text]);
  };
  /** Put a construct from here up to `till`, with what is put into it. */
  const fill = ([kind, , , into]: Rule, till: number) => {
    if (into) {
      const inner = new RegExp(into[1], "g");
      inner.lastIndex = at;
      for (let m; (m = inner.exec(line)) && inner.lastIndex <= till; ) {
        put(kind, m.index);
        put(into[0], inner.lastIndex);
      }
    }
    put(kind, till);
  };
  /** Whether an open construct ends in this line. */
  const ends = (rule: Rule, from = at): boolean => {
    const end = new RegExp(rule[2]!, "y");
    end.lastIndex = from;
    const found = end.test(line);
    fill(rule, found ? end.lastIndex : line.length);
    return found;
  };
  if (open.rule && ends(open.rule)) open.rule = undefined;
  while (at < line.length) {
    const { rules, pattern } = open.inside ?? code;
    // What is embedded ends at the end tag, wherever that is.
    const stop = open.inside ? line.indexOf(`</${open.tag}`, at) : -1;
    pattern.lastIndex = at;
    const m = stop === at ? null : pattern.exec(line);
    if (stop >= 0 && (!m || m.index >= stop)) {
      put("", stop);
      open.inside = undefined;
      continue;
    }
    if (!m?.[0]) {
      put("", line.length);
      break;
    }
    const rule = rules[m.slice(1).findIndex((group) => group !== undefined)]!;
    put("", m.index);
    const till = pattern.lastIndex;
    if (rule[2]) {
      if (!ends(rule, till)) open.rule = rule;
      continue;
    }
    fill(rule, till);
    if (rules === MARKUP) {
      if (rule[0] === "f") open.tag = line[m.index - 1] === "<" ? m[0] : "";
      else if (m[0] === ">") open.inside = embedded(open.tag);
    }
  }
  return out;
}

const embedded = (tag?: string): Language | undefined =>
  tag === "script" ? compile(SCRIPT) : tag === "style" ? compile(STYLE) : undefined;
