import { PatternRefused, type Tree } from "./tree.ts";

/** What a node does. `split` tries `next` first, then `other`; `look` asks for the result of another program. */
export type Operation = "accept" | "fail" | "character" | "split" | "look";

export interface Node {
  readonly operation: Operation;
  next: number;
  other: number;
  /** Of `character`: which set; of `look`: which of the program's looks. */
  readonly of: number;
  readonly isNegated: boolean;
}

/** A program: nodes that lead to each other without a circle that takes no character. */
export interface Program {
  readonly nodes: readonly Node[];
  /** Numbers of the nodes, each behind those that it leads to without taking a character. */
  readonly order: readonly number[];
  readonly start: number;
  /** What its `look` nodes ask for, as numbers of programs. */
  readonly looks: readonly number[];
  /** Whether it goes through the text from left to right, as all do that do not look behind. */
  readonly isAhead: boolean;
}

/** Programs of a pattern, each behind those that it asks; the last is the pattern's own. */
export interface Programs {
  readonly programs: readonly Program[];
  /** Sets of characters that the programs name. */
  readonly sets: readonly ((codePoint: number) => boolean)[];
}

const mostNodes = 4_000;
const mostSets = 300;
const mostLooks = 12; // that one program asks for

/**
 * @throws PatternRefused for a pattern that takes more nodes than any of a tokenizer does
 */
export function programsOf(tree: Tree): Programs {
  const sets: ((codePoint: number) => boolean)[] = [];
  const setNames = new Map<string, number>();
  const programs: Program[] = [];
  const programNames = new Map<string, number>();
  let count = 0;

  const setOf = (name: string, accepts: (codePoint: number) => boolean): number => {
    const known = setNames.get(name);
    if (known !== undefined) return known;
    if (sets.length >= mostSets) throw new PatternRefused(`it names more than ${mostSets} sets of characters`);
    setNames.set(name, sets.length);
    return sets.push(accepts) - 1;
  };

  function program(whole: Tree, isAhead: boolean): number {
    const nodes: Node[] = [];
    const looks: number[] = [];
    const add = (operation: Operation, next = -1, other = -1, of = -1, isNegated = false): number => {
      if (++count > mostNodes) throw new PatternRefused(`it takes more than ${mostNodes} steps written out`);
      return nodes.push({ operation, next, other, of, isNegated }) - 1;
    };
    const fail = add("fail");

    /**
     * The node that a part begins with. `empty` is where it goes on if nothing was taken so far in the round of a
     * repetition around it, `taken` if something was: JavaScript refuses a round that takes nothing.
     */
    function emit(part: Tree, empty: number, taken: number): number {
      switch (part.kind) {
        case "character":
          return add("character", taken, -1, setOf(part.name, part.accepts));
        case "either":
          return part.parts
            .map((each) => emit(each, empty, taken))
            .reduceRight((rest, first) => add("split", first, rest));
        case "sequence":
          return inOrder(isAhead ? part.parts.toReversed() : part.parts, empty, taken)[0];
        case "repeat":
          return repeated(part, empty, taken);
        case "look":
          return add("look", empty, -1, lookOf(part), part.isNegated);
      }
    }

    /** @param parts the one that comes last first */
    function inOrder(parts: readonly Tree[], empty: number, taken: number): [empty: number, taken: number] {
      let [onEmpty, onTaken] = [empty, taken];
      for (const part of parts) {
        const entry = emit(part, onEmpty, onTaken);
        onTaken = onEmpty === onTaken ? entry : emit(part, onTaken, onTaken);
        onEmpty = entry;
      }
      return [onEmpty, onTaken];
    }

    function repeated({ part, min, max, isGreedy }: Tree & { kind: "repeat" }, empty: number, taken: number): number {
      const split = (round: number, leave: number): number =>
        isGreedy ? add("split", round, leave) : add("split", leave, round);
      let [onEmpty, onTaken] = [empty, taken];
      if (max === Infinity) {
        onTaken = add("split");
        const round = emit(part, fail, onTaken);
        Object.assign(nodes[onTaken]!, isGreedy ? { next: round, other: taken } : { next: taken, other: round });
        onEmpty = empty === taken ? onTaken : split(round, empty);
      }
      for (let times = min; max !== Infinity && times < max; times++) {
        const round = emit(part, fail, onTaken);
        const isSame = onEmpty === onTaken;
        onTaken = split(round, taken);
        onEmpty = isSame && empty === taken ? onTaken : split(round, empty);
      }
      for (let times = 0; times < min; times++) {
        const before = onEmpty;
        [onEmpty, onTaken] = inOrder([part], onEmpty, onTaken);
        if (onEmpty === before) break; // the part is empty itself
      }
      return onEmpty;
    }

    function lookOf({ name, isAhead: looksAhead, part }: Tree & { kind: "look" }): number {
      const called = `${looksAhead ? ">" : "<"}${name}`;
      let asked = programNames.get(called);
      if (asked === undefined) programNames.set(called, (asked = program(part, looksAhead)));
      if (!looks.includes(asked)) looks.push(asked);
      if (looks.length > mostLooks) throw new PatternRefused("it looks ahead and behind in too many ways");
      return looks.indexOf(asked);
    }

    const accept = add("accept");
    const start = emit(whole, accept, accept);
    return programs.push({ nodes, order: orderOf(nodes), start, looks, isAhead }) - 1;
  }

  program(tree, true);
  return { programs, sets };
}

function orderOf(nodes: readonly Node[]): number[] {
  const order: number[] = [];
  const isSeen = new Uint8Array(nodes.length);
  const leadsTo = ({ operation, next, other }: Node): number[] =>
    operation === "split" ? [next, other] : operation === "look" ? [next] : [];
  for (let first = 0; first < nodes.length; first++) {
    const open = [first];
    while (open.length > 0) {
      const at = open.at(-1)!;
      if (isSeen[at] === 2) open.pop();
      else if (isSeen[at] === 1) {
        isSeen[at] = 2;
        order.push(at);
        open.pop();
      } else {
        isSeen[at] = 1;
        for (const next of leadsTo(nodes[at]!)) if (isSeen[next] === 0) open.push(next);
      }
    }
  }
  return order;
}
