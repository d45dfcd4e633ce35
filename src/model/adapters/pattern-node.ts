import { patternClass, patternEscape, type Refuse } from "./pattern-class.ts";

/** A name that is matched. */
export interface Subject {
  readonly text: string;
  /** Counts work. */
  spend(steps: number): void;
}

type Positions = ReadonlySet<number>;

/** A part of a pattern. */
export interface PatternNode {
  /** Where it may end, having begun at any of these positions. */
  ends(starts: Positions, subject: Subject): Positions;
  /** What may be repeated: nothing that has a repetition in it, and no condition. */
  readonly kind: "plain" | "repetition" | "condition";
}

/**
 * Reads a pattern of Python's `re`: characters, classes, groups, alternatives, repetitions, `^`, `$`, `\b` and conditions on
 * what follows (`(?=`, `(?!`). Which way is tried first does not matter where whole names are matched.
 */
export function patternNode(source: string, refuse: Refuse): PatternNode {
  let at = 0;
  let inCondition = false;
  const groupNames = new Set<string>();

  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const sticky = new RegExp(pattern, "y");
    sticky.lastIndex = at;
    const found = sticky.exec(source) ?? undefined;
    at += found?.[0].length ?? 0;
    return found;
  };

  function alternatives(depth: number): PatternNode {
    if (depth > 50) refuse("its groups are too deep");
    const branches = [sequence(depth)];
    while (take(/\|/)) branches.push(sequence(depth));
    return branches.length === 1 ? branches[0]! : anyOf(branches);
  }

  function sequence(depth: number): PatternNode {
    const parts: PatternNode[] = [];
    while (at < source.length && source[at] !== "|" && source[at] !== ")") parts.push(repeated(depth));
    return inOrder(parts);
  }

  function repeated(depth: number): PatternNode {
    const start = at;
    const body = atom(depth);
    const sign = take(/[*+?]|\{(\d+)(,?)(\d*)\}/);
    if (sign === undefined) return body;
    take(/\?/);
    if (/[*+?{]/.test(source[at] ?? "")) refuse(`it has ${show(at, start)}, a repetition twice`);
    const [min, max] = limits(sign);
    if (min > max) refuse(`${sign[0]} counts down`);
    if (body.kind === "condition" && (max > 1 || source[start] !== "("))
      refuse(`${show(at, start)} repeats a condition`);
    if (body.kind === "repetition" && max > 1) refuse(`${show(at, start)} repeats a repetition`);
    return repetition(body, min, max);
  }

  const show = (end: number, start: number): string => source.slice(start, end + 1);

  function atom(depth: number): PatternNode {
    const sign = source[at++]!;
    if (sign === "(") return group(depth);
    if (sign === "[") {
      const { accepts, end } = patternClass(source, at, refuse);
      at = end;
      return one(accepts);
    }
    if (sign === "\\") {
      const letter = source[at++] ?? "";
      if (letter === "b" || letter === "B") return where((text, i) => isBorder(text, i) === (letter === "b"));
      return one(patternEscape(letter, refuse));
    }
    if (sign === ".") return one((character) => character !== "\n");
    if (sign === "^") return where((_, i) => i === 0);
    if (sign === "$") return where((text, i) => i === text.length);
    if ("*+?{".includes(sign)) refuse(`${sign} repeats nothing${sign === "{" ? ", or is not {m}, {m,} or {m,n}" : ""}`);
    return one((character) => character === sign);
  }

  function group(depth: number): PatternNode {
    const opening = take(/\?(?:[:=!]|P<([A-Za-z_]\w*)>)/);
    if (opening === undefined && source[at] === "?") refuse(`(${source.slice(at, at + 3)} is not known here`);
    const name = opening?.[1];
    if (name !== undefined && groupNames.has(name)) refuse(`it has two groups ${name}`);
    if (name !== undefined) groupNames.add(name);
    const condition = opening?.[0] === "?=" || opening?.[0] === "?!";
    if (condition && inCondition) refuse("it has a condition in a condition");
    inCondition ||= condition;
    const body = alternatives(depth + 1);
    if (!take(/\)/)) refuse("a ) is missing");
    if (!condition) return body;
    inCondition = false;
    return followedBy(body, opening[0] === "?=");
  }

  const whole = alternatives(0);
  if (at < source.length) refuse("a ) has no (");
  return whole;
}

function limits([sign, least, comma, most]: RegExpExecArray): [number, number] {
  if (least === undefined) return [sign === "+" ? 1 : 0, sign === "?" ? 1 : Infinity];
  if (comma === "") return [Number(least), Number(least)];
  return [Number(least), most === "" ? Infinity : Number(most)];
}

function kindOf(parts: readonly PatternNode[]): PatternNode["kind"] {
  for (const kind of ["condition", "repetition"] as const) if (parts.some((part) => part.kind === kind)) return kind;
  return "plain";
}

function inOrder(parts: readonly PatternNode[]): PatternNode {
  return {
    kind: kindOf(parts),
    ends: (starts, subject) => parts.reduce((positions, part) => part.ends(positions, subject), starts),
  };
}

function anyOf(branches: readonly PatternNode[]): PatternNode {
  return {
    kind: kindOf(branches),
    ends: (starts, subject) => new Set(branches.flatMap((branch) => [...branch.ends(starts, subject)])),
  };
}

/** One character. */
function one(accepts: (character: string) => boolean): PatternNode {
  return {
    kind: "plain",
    ends(starts, { text, spend }) {
      spend(starts.size + 1);
      const ends = new Set<number>();
      for (const i of starts) if (i < text.length && accepts(text[i]!)) ends.add(i + 1);
      return ends;
    },
  };
}

/** A place between characters. */
function where(isHere: (text: string, at: number) => boolean): PatternNode {
  return {
    kind: "condition",
    ends(starts, { text, spend }) {
      spend(starts.size + 1);
      return new Set([...starts].filter((i) => isHere(text, i)));
    },
  };
}

function followedBy(body: PatternNode, wanted: boolean): PatternNode {
  return {
    kind: "condition",
    ends: (starts, subject) => new Set([...starts].filter((i) => body.ends(new Set([i]), subject).size > 0 === wanted)),
  };
}

function repetition(body: PatternNode, min: number, max: number): PatternNode {
  return {
    kind: "repetition",
    ends(starts, subject) {
      let positions = starts;
      // A body ends behind its start, or may be empty: after as many times as the name is long nothing changes.
      const most = subject.text.length + 1;
      for (let times = 0; times < Math.min(min, most); times++) positions = body.ends(positions, subject);
      const reached = new Set(positions);
      for (let times = min; times < max && positions.size > 0; times++) {
        positions = new Set([...body.ends(positions, subject)].filter((i) => !reached.has(i)));
        for (const i of positions) reached.add(i);
      }
      return reached;
    },
  };
}

function isBorder(text: string, at: number): boolean {
  const isWord = (i: number): boolean => /\w/.test(text[i] ?? "");
  return isWord(at - 1) !== isWord(at);
}
