import { createAutomaton, type Automaton } from "./automaton.ts";
import { findMembers, type FindAll } from "./find-all.ts";
import { membership } from "./membership.ts";
import { programsOf, type Program } from "./program.ts";
import { treeOf } from "./tree.ts";

/** The class of the second half of a character beyond 16 bits. */
const inside = 0xffff;

/**
 * A regular expression of JavaScript (flags `gu`) whose time grows with the length of the text alone, whatever the
 * pattern is: no attempt is given up and begun again. Of each place it is first computed, from the right, by which ways a
 * match is reached from there; then the first of these is followed from the left. What is looked for ahead or behind is
 * computed so, too, before that. After A. Barrière, C. Pit-Claudel: Linear Matching of JavaScript Regexes
 * (https://doi.org/10.1145/3656431).
 *
 * @param source of the expression
 * @throws PatternRefused for a back-reference, and for a pattern that is much larger than those of tokenizers; the result
 * throws it for a text with which the pattern takes too many states
 * @example linearPattern("\\s+(?!\\S)|\\S+")("a  b") // [0, 1, 1, 2, 3, 4]: the last of two spaces is left over
 */
export function linearPattern(source: string): FindAll {
  const { programs, sets } = programsOf(treeOf(source));
  const { classesOf, isIn } = characterClasses(sets);
  const searches = programs.map((program) => {
    const automaton = createAutomaton(program, isIn);
    return { program, automaton, set: onlySet(program) };
  });
  const main = searches.pop()!;
  if (main.set !== undefined) return findMembers(membership(sets[main.set]!));
  return (text) => {
    const classes = classesOf(text);
    const found: Uint8Array[] = []; // by program: whether it matches at each place
    for (const { program, automaton, set } of searches) {
      found.push(
        set === undefined
          ? matchesAt(automaton, statesOf(program, automaton, classes, found))
          : placesBeside(classes, program.isAhead, (characterClass) => isIn(characterClass, set)),
      );
    }
    return follow(main.automaton, main.program.start, classes, statesOf(main.program, main.automaton, classes, found));
  };
}

/** The set of a program that takes one character, which most that look ahead or behind do. */
function onlySet({ nodes, start }: Program): number | undefined {
  const { operation, next, of } = nodes[start]!;
  return operation === "character" && nodes[next]!.operation === "accept" ? of : undefined;
}

/** Where a character that is wanted follows, or stands before. */
function placesBeside(classes: Uint16Array, isAhead: boolean, isWanted: (of: number) => boolean): Uint8Array {
  const places = new Uint8Array(classes.length + 1);
  const known: (boolean | undefined)[] = [];
  for (let at = 0; at < classes.length; at++) {
    const characterClass = classes[at]!;
    if (characterClass === inside) continue;
    if ((known[characterClass] ??= isWanted(characterClass))) places[isAhead ? at : at + widthAt(classes, at)] = 1;
  }
  return places;
}

function matchesAt({ begins }: Automaton, states: Uint16Array): Uint8Array {
  const matches = new Uint8Array(states.length);
  for (let at = 0; at < states.length; at++) if (begins[states[at]!]!) matches[at] = 1;
  return matches;
}

/** How the looks of a program turn out at each place, as bits; undefined where it has none. */
function looksOf(asked: readonly Uint8Array[]): Uint8Array | Uint16Array | undefined {
  if (asked.length < 2) return asked[0];
  const bits = new Uint16Array(asked[0]!.length);
  asked.forEach((matches, i) => {
    for (let at = 0; at < bits.length; at++) bits[at]! |= matches[at]! << i;
  });
  return bits;
}

/** The state at each place of a text. */
function statesOf(
  { looks: asked, isAhead }: Program,
  automaton: Automaton,
  classes: Uint16Array,
  found: readonly Uint8Array[],
): Uint16Array {
  const count = classes.length;
  const { ways } = automaton;
  const states = new Uint16Array(count + 1);
  const looks = looksOf(asked.map((i) => found[i]!));
  let { table, stride } = automaton;
  const first = isAhead ? count : 0;
  let state = (states[first] = automaton.end(looks === undefined ? 0 : looks[first]!));
  const move = (characterClass: number, place: number): void => {
    const symbol = characterClass * ways + (looks === undefined ? 0 : looks[place]!);
    const next = symbol < stride ? table[state * stride + symbol]! : 0;
    if (next > 0) state = next - 1;
    else {
      state = automaton.step(state, symbol);
      ({ table, stride } = automaton);
    }
    states[place] = state;
  };
  if (isAhead) for (let at = count - 1; at >= 0; at--) if (classes[at] !== inside) move(classes[at]!, at);
  if (!isAhead) for (let at = 0; at < count; at += widthAt(classes, at)) move(classes[at]!, at + widthAt(classes, at));
  return states;
}

const widthAt = (classes: Uint16Array, at: number): number => (classes[at + 1] === inside ? 2 : 1);

function follow(automaton: Automaton, start: number, classes: Uint16Array, states: Uint16Array): number[] {
  const { begins } = automaton;
  const places: number[] = [];
  for (let from = 0; from <= classes.length;) {
    if (begins[states[from]!] !== true) {
      from += widthAt(classes, from);
      continue;
    }
    let at = from;
    for (let node = automaton.advance(states[at]!, start); node >= 0; node = automaton.advance(states[at]!, node))
      at += widthAt(classes, at);
    places.push(from, at);
    from = at > from ? at : at + widthAt(classes, at);
  }
  return places;
}

/**
 * Characters that are in the same sets are of one class; classes are numbered from 1 as they are met.
 */
function characterClasses(sets: readonly ((codePoint: number) => boolean)[]): {
  classesOf(text: string): Uint16Array;
  isIn(characterClass: number, set: number): boolean;
} {
  const known = new Uint16Array(0x10000);
  const beyond = new Map<number, number>();
  const numbers = new Map<string, number>();
  const members: Uint8Array[] = [new Uint8Array(sets.length)]; // the first is of no character
  const classOf = (codePoint: number): number => {
    const isMember = Uint8Array.from(sets, (accepts) => (accepts(codePoint) ? 1 : 0));
    const key = isMember.join("");
    let number = numbers.get(key);
    if (number === undefined) {
      numbers.set(key, (number = members.length));
      members.push(isMember);
    }
    return number;
  };
  const classBeyond = (codePoint: number): number => {
    let number = beyond.get(codePoint);
    if (number === undefined) beyond.set(codePoint, (number = classOf(codePoint)));
    return number;
  };
  return {
    isIn: (characterClass, set) => members[characterClass]![set] === 1,
    classesOf(text) {
      const classes = new Uint16Array(text.length);
      for (let at = 0; at < text.length; at++) {
        const unit = text.charCodeAt(at);
        if (unit >= 0xd800 && unit < 0xdc00 && at + 1 < text.length && text.codePointAt(at)! > 0xffff) {
          classes[at] = classBeyond(text.codePointAt(at)!);
          classes[++at] = inside;
        } else classes[at] = known[unit] ||= classOf(unit);
      }
      return classes;
    },
  };
}
