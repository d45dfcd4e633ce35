import { RegExpParser, type AST } from "@eslint-community/regexpp";

/** A regular expression of JavaScript (flag `u`) without what it names or captures. */
export type Tree =
  | { kind: "character"; accepts: (codePoint: number) => boolean; name: string }
  | { kind: "sequence"; parts: readonly Tree[] }
  | { kind: "either"; parts: readonly Tree[] }
  | { kind: "repeat"; part: Tree; min: number; max: number; isGreedy: boolean }
  | { kind: "look"; isAhead: boolean; isNegated: boolean; part: Tree; name: string };

/** Why a pattern cannot be used. */
export class PatternRefused extends Error {}

const deepestGroups = 100;
const longestSource = 200_000; // characters, `\b` spelled out

/**
 * @param source of a RegExp with the flag `u`
 * @throws PatternRefused for back-references, and for a pattern that is nested too deeply or too long
 */
export function treeOf(source: string): Tree {
  if (source.length > longestSource) throw new PatternRefused(`it has more than ${longestSource} characters`);
  refuseDeep(source);
  const parser = new RegExpParser({ ecmaVersion: 2024 });
  return either(parser.parsePattern(source, 0, source.length, { unicode: true, unicodeSets: false }).alternatives);
}

/** The parser calls itself for each group. */
function refuseDeep(source: string): void {
  let depth = 0;
  const bare = source.replace(/\\./gs, "").replace(/\[[^\]]*\]/g, "");
  for (const sign of bare) {
    if (sign === "(" && ++depth > deepestGroups) throw new PatternRefused("its groups are nested too deeply");
    if (sign === ")") depth--;
  }
}

function either(alternatives: readonly AST.Alternative[]): Tree {
  const parts = alternatives.map(({ elements }): Tree => {
    return elements.length === 1 ? part(elements[0]!) : { kind: "sequence", parts: elements.map(part) };
  });
  return parts.length === 1 ? parts[0]! : { kind: "either", parts };
}

const anything: Tree = { kind: "character", name: "anything", accepts: () => true };

function part(element: AST.Element): Tree {
  switch (element.type) {
    case "Character":
      return character(element.value);
    case "CharacterClass":
    case "CharacterSet":
      return { kind: "character", name: element.raw, accepts: acceptedBy(element.raw) };
    case "Group":
    case "CapturingGroup":
      return either(element.alternatives);
    case "Quantifier":
      return {
        kind: "repeat",
        part: part(element.element),
        min: element.min,
        max: element.max,
        isGreedy: element.greedy,
      };
    case "Assertion":
      return assertion(element);
    case "Backreference":
      throw new PatternRefused(`it refers back to a group (${element.raw})`);
    default:
      throw new PatternRefused(`it has ${element.raw}, which is not known here`);
  }
}

function character(value: number): Tree {
  return { kind: "character", name: `=${value}`, accepts: (codePoint) => codePoint === value };
}

function acceptedBy(raw: string): (codePoint: number) => boolean {
  const pattern = new RegExp(`^${raw}$`, "u");
  return (codePoint) => pattern.test(String.fromCodePoint(codePoint));
}

function assertion(element: AST.Assertion): Tree {
  if (element.kind === "start" || element.kind === "end") {
    const isAhead = element.kind === "end";
    return { kind: "look", isAhead, isNegated: true, part: anything, name: isAhead ? "end" : "start" };
  }
  if (!("alternatives" in element)) throw new PatternRefused(`it has ${element.raw}, which is not known here`);
  return {
    kind: "look",
    isAhead: element.kind === "lookahead",
    isNegated: element.negate,
    part: either(element.alternatives),
    name: element.raw.replace(/^\(\?(<?)[=!]/, "$1"),
  };
}
