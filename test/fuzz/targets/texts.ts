import { readFileSync } from "node:fs";
import type { RandomStream } from "../../../src/system/random.ts";
import { compileChatTemplate } from "../../../src/text/chat-template.ts";
import { linearPattern } from "../../../src/text/patterns/pattern.ts";
import { PatternRefused } from "../../../src/text/patterns/tree.ts";
import { verifier as openVerifier } from "../../../src/text/index.ts";
import { generatedAnswer } from "../../text/answers/generated-answers.ts";
import { nativelyFound } from "../../text/patterns/generated-pattern.ts";
import { fixture } from "../files.ts";
import { changedText } from "../json-trees.ts";
import { oneOf, refusing, target, type Target } from "../target.ts";

/** Every answer has a verdict, and none of them is that of a failure. */
export const verifier = (): Target => {
  const { verify, close } = openVerifier({
    onFailure: (input, error) => {
      throw new Error(`the verifier failed on ${JSON.stringify(input)}`, { cause: error });
    },
  });
  return {
    close,
    atOnce: 64,
    async run(seed, at) {
      await verify(generatedAnswer(seed, at));
    },
  };
};

const atoms = "a b c . [ab] [^a] \\s \\S \\w \\p{L} \\p{Lu} \\u{1f600} ^ $ (?:) x- é".split(" ");
const repeats = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}", "{0,400}"];
const pieces = [
  "(",
  ")",
  "(?:",
  "(?=",
  "(?!",
  "(?<=",
  "(?<!",
  "[",
  "]",
  "|",
  "{1000000}",
  "\\1",
  "(?<n>",
  "\\k<n>",
  "*",
  "\\b",
  "\\",
];

function drawnPattern(draws: RandomStream, depth: number): string {
  const { below, next } = draws;
  const group = (): string => {
    if (depth === 0 || next() < 0.55) {
      const atom = oneOf(draws, atoms);
      return /^[$^]$/.test(atom) ? atom : atom + oneOf(draws, repeats);
    }
    if (next() < 0.6) return `(?:${drawnPattern(draws, depth - 1)})${oneOf(draws, repeats)}`;
    return `${oneOf(draws, ["(?=", "(?!", "(?<=", "(?<!"])}${drawnPattern(draws, depth - 1)})`;
  };
  return Array.from({ length: 1 + below(2) }, () => Array.from({ length: 1 + below(3) }, group).join("")).join("|");
}

/** Patterns of JavaScript and what is none; those that are followed find in short texts what JavaScript finds. */
export const pattern = (): Target =>
  target((draws) => {
    const drawn = drawnPattern(draws, draws.below(5));
    const source = draws.next() < 0.7 ? drawn : changedText(drawn, draws, pieces);
    const text = (length: number): string =>
      Array.from({ length }, () => oneOf(draws, ["a", "b", "c", " ", "\n", "\u{1f600}", "\ud83d", "é", "X"])).join("");
    const find = refusing(() => linearPattern(source), PatternRefused, SyntaxError);
    if (find === undefined) return;
    const short = text(draws.below(7));
    const found = refusing(() => find(short), PatternRefused);
    // an engine that goes back takes long where many counts are nested
    const isSlow = /\{(0,400|\d{2,})/.test(source) || (source.match(/[*+}]/g)?.length ?? 0) > 12;
    const right = isSlow ? undefined : nativelyFound(source, short);
    if (found !== undefined && right !== undefined && JSON.stringify(found) !== JSON.stringify(right))
      throw new Error(`${source} in ${JSON.stringify(short)}: ${found.join()} instead of ${right.join()}`);
    if (draws.next() < 0.1) refusing(() => find(text(3_000)), PatternRefused);
  });

const templatePieces =
  "{% {%- %} -%} {{ }} for_x_in if else elif endif endfor set_x_= macro_m(x) endmacro m(x) messages .content .role [0] [::-1] | trim tojson title indent(4) indent(900000) batch(2) batch(2,'x') slice(3) list join join(',') sort unique map('upper') select reject sum reverse ( ) ' a + ~ * 99 99999999 == range(9) range(99999) namespace(n=0) loop.index strftime_now('%Y-%m-%d') replace('a','aaaa') split() format center(99999) wordwrap dictsort {'a':1} [1,2] filter_upper endfilter call_m(1) endcall generation endgeneration break continue is_defined not none raise_exception('x') \n".split(
    " ",
  );
const filters =
  "batch(2) batch(1,'x') batch(1) batch(3,messages) list join join('ab') tojson reverse sort unique map('string') map('batch',2) map('list') first last length string replace('a','aa') replace('','b') center(2000) indent(300) upper title trim items sum(start=[]) format(x) select('string')".split(
    " ",
  );
const starts = [
  "messages",
  "range(2000)",
  "messages[0].content",
  "'ab'*50",
  "[1]*500",
  "x",
  "strftime_now('%Y'*99)",
  "[messages]*9",
  "strftime_now(x)",
  "{'a': messages}",
];

/** Filters behind each other, loops in loops, macros that call themselves: what asks for much time by few words. */
function drawnTemplate(draws: RandomStream, depth: number): string {
  const { next, below } = draws;
  const expression = (): string => {
    const start =
      next() < 0.2
        ? `(${oneOf(draws, starts)} ${oneOf(draws, ["~", "+", "*"])} ${oneOf(draws, starts)})`
        : oneOf(draws, starts);
    return [start, ...Array.from({ length: below(12) }, () => oneOf(draws, filters))].join("|");
  };
  const inner = (): string => (depth > 0 ? drawnTemplate(draws, depth - 1) : `{{ ${expression()} }}`);
  return [
    () => `{{ ${expression()} }}`,
    () => `{% set x = ${expression()} %}${inner()}`,
    () => `{% for x in ${expression()} %}${inner()}{% endfor %}`,
    () => `{% macro m(x) %}${inner()}{{ m(${expression()}) }}{% endmacro %}{{ m(1) }}`,
    () => `{% if ${expression()} %}${inner()}{% else %}${inner()}{% endif %}`,
    () => `{% filter ${oneOf(draws, filters)} %}${inner()}{% endfilter %}`,
    () =>
      `{% set n = namespace(x=[]) %}{% for y in ${expression()} %}{% set n.x = n.x + [${expression()}] %}{% endfor %}{{ n.x }}`,
  ][below(7)]!();
}

const chat = [
  { role: "user", content: "hi ".repeat(50) },
  { role: "assistant", content: null, tool_calls: [{ id: 1, function: { name: "add", arguments: { a: 1 } } }] },
];

/** Chat templates: changed ones, ones of pieces, and ones that ask for much. */
export const template = (): Target => {
  const { templates } = JSON.parse(readFileSync(fixture("text/chats.json"), "utf8")) as {
    templates: Record<string, string>;
  };
  const { cases } = JSON.parse(readFileSync(fixture("text/jinja.json"), "utf8")) as { cases: [string, string[]][] };
  const sound = [...Object.values(templates), ...cases.flatMap(([, some]) => some)];
  const piece = (draws: RandomStream): string => oneOf(draws, templatePieces).replaceAll("_", " ");
  return target((draws) => {
    const { next, below } = draws;
    const kind = next();
    const text =
      kind < 0.3
        ? changedText(changedText(oneOf(draws, sound), draws, templatePieces), draws, templatePieces)
        : kind < 0.6
          ? Array.from({ length: 1 + below(24) }, () => piece(draws) + (next() < 0.5 ? " " : "")).join("")
          : drawnTemplate(draws, below(4));
    // most with few steps, so that many templates are tried; some with all
    refusing(() => compileChatTemplate(text, next() < 0.005 ? undefined : 20_000)(chat, { addGenerationPrompt: true }));
  });
};
