import { parse, tokenize } from "@huggingface/jinja";
import { isComparison } from "./operators.ts";
import type { Node } from "./tree.ts";

interface Token {
  value: string;
  type: string;
}

/**
 * The syntax tree of a template, with the library's parser and what it does not know: `{% raw %}`, tests with
 * arguments (which become filters named "is NAME"), `{% generation %}` (which becomes a call block). Comparisons in a chain, which it reads otherwise than Python, are
 * refused.
 */
export function parseJinja(template: string): Node {
  const tokens = tokenize(withCallBlocks(withoutRaw(template)), {
    lstrip_blocks: true,
    trim_blocks: true,
  }) as unknown as Token[];
  refuseChains(tokens);
  return parse(testsAsFilters(withExponents(tokens)) as Parameters<typeof parse>[0]) as unknown as Node;
}

const open = "(\\{%[-+]?)";
const rawBlock = new RegExp(`[ \\t]*${open}\\s*raw\\s*(-?)%\\}(.*?)${open}\\s*endraw\\s*([-+]?)%\\}(\\n?)`, "gs");

/** What stands between `{% raw %}` and `{% endraw %}` as a text in an expression. */
function withoutRaw(template: string): string {
  if (!template.includes("endraw")) return template;
  return template.replace(
    rawBlock,
    (match, begin: string, after: string, body: string, end: string, last: string, line: string, offset: number) => {
      const margin = match.slice(0, match.indexOf("{%"));
      const isWholeMargin = offset === 0 || template[offset - 1] === "\n";
      const kept = after === "-" ? body.trimStart() : body;
      const ended = end.endsWith("-") ? kept.trimEnd() : end.endsWith("+") ? kept : kept.replace(/(^|\n)[ \t]*$/, "$1");
      const literal = JSON.stringify(ended).replace(/[{}%#]/g, (one) => `\\x${one.charCodeAt(0).toString(16)}`);
      const opening = begin.endsWith("-") ? "{{-" : "{{";
      const before = begin.endsWith("+") || !isWholeMargin ? margin : "";
      return `${before}${opening} ${literal} ${last === "-" ? "-}}" : "}}"}${last === "+" ? line : ""}`;
    },
  );
}

/** What the blocks `{% generation %}` … `{% endgeneration %}` call, with what they hold as `caller`. */
export const generationFunction = "_generation";

/**
 * The tags that mark answers as call blocks, which is what transformers makes of them: a block with variables of its own
 * whose tags strip white space as any others do. The library's parser would drop the tags.
 */
function withCallBlocks(template: string): string {
  return template.replace(
    /(\{%[-+]?)\s*(end)?generation\s*([-+]?%\})/g,
    (_, open: string, end: string | undefined, close: string) =>
      `${open} ${end === undefined ? `call ${generationFunction}()` : "endcall"} ${close}`,
  );
}

/** Numbers such as 1e5 and 1.5e-7, which come as several tokens. */
function withExponents(tokens: readonly Token[]): Token[] {
  const written: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const [{ type, value }, letter, sign, digits] = [tokens[i]!, tokens[i + 1], tokens[i + 2], tokens[i + 3]];
    const mantissa = value.includes(".") ? value : `${value}.0`;
    const hasExponent = type === "NumericLiteral" && letter?.type === "Identifier" && tokens[i - 1]?.type !== "Dot";
    if (hasExponent && /^e\d+$/i.test(letter.value)) {
      written.push({ type, value: mantissa + letter.value });
      i += 1;
    } else if (
      hasExponent &&
      /^e$/i.test(letter.value) &&
      sign?.type === "AdditiveBinaryOperator" &&
      digits !== undefined
    ) {
      written.push({ type, value: mantissa + letter.value + sign.value + digits.value });
      i += 3;
    } else written.push(tokens[i]!);
  }
  return written;
}

const closing: Record<string, string> = { "(": ")", "[": "]", "{": "}" };
const noArgument = ["else", "or", "and", "is", "in", "not", "if", "recursive"];
const argumentTypes = [
  "Identifier",
  "StringLiteral",
  "NumericLiteral",
  "OpenParen",
  "OpenSquareBracket",
  "OpenCurlyBracket",
];

function testsAsFilters(tokens: readonly Token[]): Token[] {
  const written: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const negated = tokens[i + 1]?.value === "not" && tokens[i + 1]?.type === "Identifier";
    const at = i + (negated ? 2 : 1);
    const [name, next] = [tokens[at], tokens[at + 1]];
    const isTest = tokens[i]!.type === "Identifier" && tokens[i]!.value === "is" && tokens[i - 1]?.type !== "Dot";
    const hasName = name?.type === "Identifier" || name?.type === "ComparisonBinaryOperator";
    const hasArgument =
      next !== undefined &&
      argumentTypes.includes(next.type) &&
      !(next.type === "Identifier" && noArgument.includes(next.value));
    if (!isTest || !hasName || !hasArgument) {
      written.push(tokens[i]!);
      continue;
    }
    written.push(
      { value: "|", type: "Pipe" },
      { value: `is ${negated ? "not " : ""}${name.value}`, type: "Identifier" },
    );
    i = at;
    if (next.type === "OpenParen") continue;
    const end = endOfOperand(tokens, at + 1);
    written.push({ value: "(", type: "OpenParen" }, ...testsAsFilters(tokens.slice(at + 1, end)), {
      value: ")",
      type: "CloseParen",
    });
    i = end - 1;
  }
  return written;
}

/** Where what begins at a token ends, with the parts in brackets and behind points that follow it. */
function endOfOperand(tokens: readonly Token[], begin: number): number {
  let at = begin;
  for (;;) {
    if (closing[tokens[at]?.value ?? ""] !== undefined && tokens[at]!.type.startsWith("Open"))
      at = closingBracket(tokens, at);
    at++;
    if (tokens[at]?.type === "Dot") at++;
    else if (tokens[at]?.type !== "OpenParen" && tokens[at]?.type !== "OpenSquareBracket") return at;
  }
}

function closingBracket(tokens: readonly Token[], begin: number): number {
  let depth = 0;
  for (let i = begin; i < tokens.length; i++) {
    if (/^Open(?:Paren|SquareBracket|CurlyBracket)$/.test(tokens[i]!.type)) depth++;
    if (/^Close(?:Paren|SquareBracket|CurlyBracket)$/.test(tokens[i]!.type) && --depth === 0) return i;
  }
  throw new SyntaxError("a bracket is not closed");
}

function refuseChains(tokens: readonly Token[]): void {
  const compared = [false]; // by depth of brackets: whether a comparison stands in this part already
  let isLoop = false;
  tokens.forEach(({ type, value }, i) => {
    if (type.startsWith("Open")) {
      compared.push(false);
      if (type === "OpenStatement") isLoop = tokens[i + 1]?.value === "for";
    } else if (type.startsWith("Close")) compared.pop();
    else if (type === "Comma" || type === "Colon" || type === "Equals") compared[compared.length - 1] = false;
    else if (type === "Identifier" && ["and", "or", "not", "if", "else", "elif"].includes(value)) {
      if (value !== "not" || tokens[i + 1]?.value !== "in") compared[compared.length - 1] = false;
    } else if (isComparison(value) && type !== "StringLiteral" && type !== "Text" && tokens[i - 1]?.value !== "is") {
      if (value === "in" && type === "Identifier" && isLoop) isLoop = false;
      else if (compared.at(-1)!)
        throw new SyntaxError("a chain of comparisons (a < b < c) is not supported; write a < b and b < c");
      else compared[compared.length - 1] = true;
    }
  });
}
