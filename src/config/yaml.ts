import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser } from "yaml";
import type { Alias, CST, Document, Node, YAMLMap } from "yaml";
import { UserError } from "../system/errors.ts";
import type { KeyPath } from "./problem.ts";
import { keyName } from "./problem.ts";

/** What plain YAML can hold. */
export type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain };

/** YAML text as plain values, with the way back from a key to its line. */
export interface ParsedYaml {
  readonly value: Plain;
  /** Where a key or its value stands; the nearest enclosing one (`exact` false) if the key is not there. */
  locate(path: KeyPath, at: "key" | "value"): { line: number; column: number; exact: boolean };
}

const largestText = 1 << 20;
const deepestNesting = 32;
/** Of the parser's own tree, in which a key is a level, too. */
const deepestTokens = 200;
const mostTokens = 200_000;
/** Tokens that stand for no text. */
const lexerMarks = new Set(["\u0002", "\u0018", "\u001f"]);
const mostValues = 20_000;
const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"]);

/** Keys that would reach into JavaScript's own object machinery; no configuration has a use for them. */
export function isForbiddenKey(key: string): boolean {
  return forbiddenKeys.has(key);
}

/**
 * Parses one YAML document within bounds: size, nesting and the number of values after aliases are expanded.
 * @param name what messages call the text, usually its file
 * @throws UserError with line and column: not YAML, a key given twice, a key that is not text, NaN or infinity
 */
export function parseYaml(text: string, name: string): ParsedYaml {
  if (text.length > largestText)
    throw new UserError("too-large", `${text.length} characters are too many for a configuration`, { where: name });
  const lines = new LineCounter();
  const document = parsed(text, name, lines);
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  for (const issue of [...document.errors, ...document.warnings])
    throw new UserError("invalid-yaml", complaint(issue.message), {
      where: `${name}:${position(issue.pos[0])}`,
      fix: "Mend the YAML here; indentation, quotes and brackets are the usual causes.",
    });
  const { value, targets } = toPlain(document, (node, what) => {
    throw new UserError("invalid-yaml", what, { where: `${name}:${position(node?.range?.[0] ?? 0)}` });
  });
  const locate: ParsedYaml["locate"] = (path, at) => {
    const { offset, exact } = offsetOf(document, targets, path, at);
    const { line, col } = lines.linePos(offset);
    return { line, column: col, exact };
  };
  return { value, locate };
}

/** Where there are more signs, or more open brackets, than any configuration has. */
function tooMuch(text: string): { offset: number; what: string } | undefined {
  let [open, offset, count] = [0, 0, 0];
  for (const token of new Lexer().lex(text)) {
    if (++count > mostTokens) return { offset, what: `more than ${mostTokens} words and signs` };
    if ((token === "[" || token === "{") && ++open > deepestTokens) return { offset, what: "nested too deeply" };
    if (token === "]" || token === "}") open--;
    if (!lexerMarks.has(token)) offset += token.length;
  }
  return undefined;
}

/** Where the parser's tree, which is made without calls in calls, is deeper than any configuration's. */
function tooDeep(text: string): { offset: number; what: string } | undefined {
  const open: { token: CST.Token; depth: number }[] = [];
  for (const token of new Parser().parse(text)) open.push({ token, depth: 0 });
  while (open.length > 0) {
    const { token, depth } = open.pop()!;
    if (depth > deepestTokens) return { offset: token.offset, what: "nested too deeply" };
    const add = (inner: CST.Token | null | undefined): void => {
      if (inner) open.push({ token: inner, depth: depth + 1 });
    };
    if (token.type === "document") add(token.value);
    if (!("items" in token)) continue;
    for (const { key, value } of token.items) {
      add(key);
      add(value);
    }
  }
  return undefined;
}

/** What is made of the parser's tree goes through it by calls in calls, which in the end end the process: no `catch` helps. */
function parsed(text: string, name: string, lineCounter: LineCounter): Document {
  const refused = tooMuch(text) ?? tooDeep(text);
  if (refused !== undefined) {
    const before = text.slice(0, refused.offset).split("\n");
    const where = `${name}:${before.length}:${before.at(-1)!.length + 1}`;
    throw new UserError("invalid-yaml", refused.what, { where });
  }
  try {
    return parseDocument(text, { lineCounter, uniqueKeys: false, version: "1.2", schema: "core", logLevel: "error" });
  } catch (cause) {
    throw new UserError("invalid-yaml", "could not be read as YAML (nested too deeply?)", { where: name, cause });
  }
}

function complaint(message: string): string {
  if (message.startsWith("Maximum call stack")) return "nested too deeply";
  if (message.startsWith("Source contains multiple documents")) return "a configuration is one YAML document";
  return message.split("\n", 1)[0]!.replace(/ at line \d+, column \d+:?$/, "");
}

/** What each alias stands for. */
type Targets = Map<Alias, Node>;

/** Values without YAML's nodes. Aliases are copied, so that no two places of a configuration share an object. */
function toPlain(document: Document, fail: (node: Node | null, what: string) => never) {
  let values = 0;
  const anchors = new Map<string, Node>();
  const targets: Targets = new Map();
  const targetOf = (alias: Alias): Node => {
    const target = targets.get(alias) ?? anchors.get(alias.source) ?? fail(alias, `no anchor named ${alias.source}`);
    targets.set(alias, target);
    return target;
  };
  const convert = (node: unknown, depth: number): Plain => {
    if (node === null || node === undefined) return null;
    const here = node as Node;
    if (++values > mostValues) fail(here, `more than ${mostValues} values once aliases are expanded`);
    if (depth > deepestNesting) fail(here, `nested more than ${deepestNesting} levels deep`);
    if (isAlias(node)) return convert(targetOf(node), depth + 1);
    if ("anchor" in here && typeof here.anchor === "string") anchors.set(here.anchor, here);
    if (isSeq(node)) return node.items.map((item) => convert(item, depth + 1));
    if (isMap(node)) return mapToPlain(node, depth);
    return scalarToPlain(isScalar(node) ? node.value : undefined, here);
  };
  const mapToPlain = (map: YAMLMap, depth: number): Plain => {
    const result: { [key: string]: Plain } = {};
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? key.value : undefined;
      const at = key as Node | null;
      if (typeof name !== "string") return fail(at, "a key must be plain text");
      if (isForbiddenKey(name)) return fail(at, `"${name}" cannot be a key`);
      if (Object.hasOwn(result, name)) return fail(at, `the key "${name}" is given twice`);
      result[name] = convert(value, depth + 1);
    }
    return result;
  };
  const scalarToPlain = (value: unknown, node: Node): Plain => {
    if (typeof value === "number" && !Number.isFinite(value)) return fail(node, `${value} is not a usable number`);
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    return typeof value === "number"
      ? value
      : fail(node, "only text, numbers, true, false, lists and keys can be used");
  };
  return { value: convert(document.contents, 0), targets };
}

function offsetOf(document: Document, targets: Targets, path: KeyPath, at: "key" | "value") {
  let node = document.contents as Node | null | undefined;
  let offset = 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = targets.get(node);
    let target: Node | null | undefined;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      const wantsKey = depth === path.length - 1 && at === "key";
      target = (wantsKey ? pair?.key : (pair?.value ?? pair?.key)) as Node | undefined;
      node = pair?.value as Node | null | undefined;
    } else if (isSeq(node) && typeof step === "number") target = node = node.items[step] as Node | null | undefined;
    if (!target) return { offset, exact: false };
    offset = target.range?.[0] ?? offset;
  }
  return { offset, exact: true };
}

/**
 * The value of `--set key=TEXT`: numbers, true, false, quoted text and `[lists]` as in YAML; whatever is not one of
 * these stays the text it is (so a path needs no quotes, whatever characters it has).
 */
export function parseSetting(text: string, path: KeyPath): Plain {
  const trimmed = text.trim();
  if (/^["'[{]/.test(trimmed)) return parseYaml(trimmed, keyName(path)).value;
  if (/^[-+.\d]|^(true|false|null|~)$/i.test(trimmed)) {
    const document = parseDocument(trimmed, { version: "1.2", schema: "core", logLevel: "silent" });
    const scalar = document.contents;
    const whole = document.errors.length === 0 && isScalar(scalar) && scalar.source === trimmed;
    if (whole && (typeof scalar.value === "number" || typeof scalar.value === "boolean" || scalar.value === null)) {
      if (typeof scalar.value !== "number" || Number.isFinite(scalar.value)) return scalar.value;
      throw new UserError("invalid-option", `${trimmed} is not a usable number`, { where: keyName(path) });
    }
  }
  return trimmed === "" ? null : trimmed;
}
