import type { Program } from "./program.ts";
import { PatternRefused } from "./tree.ts";

/**
 * The states of a program: which of its nodes lead to a match from a place, given what stands behind it (before it, for
 * a program that looks behind). States are made when a text first needs them.
 */
export interface Automaton {
  /** The state at the end of a text. */
  end(looks: number): number;
  /**
   * One more than the state at a place, by `state * stride + symbol` of the state at the next place; 0 where it was not
   * made yet, by `step`, which may put a larger table in its place. A symbol is the class of the character between, times
   * `ways`, and how the program's looks turn out.
   */
  table: Int32Array;
  stride: number;
  readonly ways: number;
  step(state: number, symbol: number): number;
  /** Whether a match begins at a place of this state, by state. */
  readonly begins: readonly boolean[];
  /** The node behind the character that the first way to a match takes next; -1 where the match ends. */
  advance(state: number, node: number): number;
}

const mostStates = 20_000;
const mostWork = 300_000_000; // nodes looked at to make states, over the life of a pattern
const largestTable = 2 ** 22;
const firstStride = 32;

/**
 * @param isIn whether characters of a class are in a set
 */
export function createAutomaton(program: Program, isIn: (characterClass: number, set: number) => boolean): Automaton {
  const { nodes, order, start, looks: asked } = program;
  const sets: Uint8Array[] = [];
  const numbers = new Map<string, number>();
  const ends: (number | undefined)[] = [];
  const none = new Uint8Array(nodes.length);
  const begins: boolean[] = [];
  let advances = new Int16Array(0); // two more than the node, 0 where it is not known yet
  let work = 0;

  const automaton: Automaton = {
    ways: 2 ** asked.length,
    stride: firstStride,
    table: new Int32Array(firstStride),
    begins,
    end: (looks) => (ends[looks] ??= made(none, 0, looks)),
    step(state, symbol) {
      const { ways } = automaton;
      const next = made(sets[state]!, Math.floor(symbol / ways), symbol % ways);
      makeRoom(symbol);
      automaton.table[state * automaton.stride + symbol] = next + 1;
      return next;
    },
    advance(state, node) {
      const at = state * nodes.length + node;
      const known = advances[at];
      if (known !== undefined && known !== 0) return known - 2;
      const next = behindNext(node, sets[state]!);
      if (at >= advances.length && at < largestTable) {
        const larger = new Int16Array(Math.min(largestTable, 2 * (at + 1)));
        larger.set(advances);
        advances = larger;
      }
      advances[at] = next + 2;
      return next;
    },
  };
  return automaton;

  function stateOf(leads: Uint8Array): number {
    const key = keyOf(leads);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    if (sets.length >= mostStates) throw new PatternRefused("it has too many states for this text");
    numbers.set(key, sets.length);
    begins.push(leads[start] === 1);
    return sets.push(leads) - 1;
  }

  function made(behind: Uint8Array, characterClass: number, looks: number): number {
    work += nodes.length;
    if (work > mostWork) throw new PatternRefused("it takes too many steps for this text");
    const leads = new Uint8Array(nodes.length);
    for (const at of order) {
      const { operation, next, other, of, isNegated } = nodes[at]!;
      if (operation === "accept") leads[at] = 1;
      else if (operation === "split") leads[at] = leads[next]! | leads[other]!;
      else if (operation === "look") leads[at] = ((looks >> of) & 1) === (isNegated ? 0 : 1) ? leads[next]! : 0;
      else if (operation === "character") leads[at] = behind[next] === 1 && isIn(characterClass, of) ? 1 : 0;
    }
    return stateOf(leads);
  }

  /** Makes the table large enough for all states and this symbol. */
  function makeRoom(symbol: number): void {
    const { table, stride } = automaton;
    const rows = table.length / stride;
    if (symbol < stride && sets.length <= rows) return;
    const columns = symbol < stride ? stride : 2 ** Math.ceil(Math.log2(symbol + 1));
    const larger = 2 ** Math.ceil(Math.log2(sets.length)) * columns;
    if (larger > largestTable) throw new PatternRefused("it has too many states for this text");
    automaton.table = new Int32Array(larger);
    automaton.stride = columns;
    for (let row = 0; row < rows; row++)
      automaton.table.set(table.subarray(row * stride, (row + 1) * stride), row * columns);
  }

  function behindNext(node: number, leads: Uint8Array): number {
    for (let at = node; ;) {
      const { operation, next, other } = nodes[at]!;
      if (operation === "accept") return -1;
      if (operation === "character") return next;
      at = operation === "split" && leads[next] === 0 ? other : next;
    }
  }
}

function keyOf(leads: Uint8Array): string {
  let key = "";
  for (let at = 0; at < leads.length; at += 16) {
    let bits = 0;
    for (let bit = 0; bit < 16; bit++) bits |= (leads[at + bit] ?? 0) << bit;
    key += String.fromCharCode(bits);
  }
  return key;
}
