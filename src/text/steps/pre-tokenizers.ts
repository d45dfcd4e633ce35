import { UserError } from "../../system/errors.ts";
import { show } from "../tokenizer-json.ts";
import { toBytesAsText } from "./byte-level.ts";
import { commonPattern, gpt2Words } from "../patterns/common-words.ts";
import { cutAtMembers, findMembers, type CutWords, type FindAll } from "../patterns/find-all.ts";
import { classMembers } from "../patterns/membership.ts";
import { escaped, findAll, matchesOf, patternOf, punctuation, whiteSpace, wordCharacter } from "./pattern.ts";
import { createStep, type Create, type Options } from "./step.ts";

/** A part of a text; `isFirst` if the text begins with it. */
export interface Part {
  text: string;
  isFirst: boolean;
}

/** Parts a text. One that only cuts says where, which is faster than parts are made. */
export interface PreTokenizer {
  parts(part: Part): Part[];
  readonly cut?: CutWords;
  /** Beside `cut`: how the model is given a word. */
  readonly spell?: ((word: string) => string) | undefined;
}

/** Where a text is cut: a match of a pattern, or what lies between two. */
type Cut = [start: number, end: number, isMatch: boolean];

const behaviors: Record<string, (cuts: readonly Cut[]) => (readonly [number, number])[]> = {
  Removed: (cuts) => cuts.filter(([, , isMatch]) => !isMatch).map(([start, end]) => [start, end]),
  Isolated: (cuts) => cuts.map(([start, end]) => [start, end]),
  Contiguous: (cuts) => joinedWhere(cuts, (isMatch, wasMatch) => isMatch === wasMatch),
  MergedWithPrevious: (cuts) => joinedWhere(cuts, (isMatch, wasMatch) => isMatch && !wasMatch),
  MergedWithNext: joinedFromEnd,
};

/** Joins a cut to the one before where `joins` says so. */
function joinedWhere(
  cuts: readonly Cut[],
  joins: (isMatch: boolean, wasMatch: boolean) => boolean,
): (readonly [number, number])[] {
  const joined: [number, number][] = [];
  let wasMatch = false;
  for (const [start, end, isMatch] of cuts) {
    if (joined.length > 0 && joins(isMatch, wasMatch)) joined.at(-1)![1] = end;
    else joined.push([start, end]);
    wasMatch = isMatch;
  }
  return joined;
}

/** Joins each match to what lies behind it. */
function joinedFromEnd(cuts: readonly Cut[]): (readonly [number, number])[] {
  const joined: [number, number][] = [];
  let wasMatch = false;
  for (const [start, end, isMatch] of cuts.toReversed()) {
    if (joined.length > 0 && isMatch && !wasMatch) joined.at(-1)![0] = start;
    else joined.push([start, end]);
    wasMatch = isMatch;
  }
  return joined.toReversed();
}

/** Every pre-tokenizer that Python's `tokenizers` knows, by type. */
const preTokenizers: ReadonlyMap<unknown, Create<PreTokenizer, string>> = new Map<
  unknown,
  Create<PreTokenizer, string>
>([
  ["ByteLevel", byteLevel],
  [
    "Whitespace",
    () =>
      splitting(findAll(new RegExp(`[${wordCharacter}]+|[^${wordCharacter}${whiteSpace}]+`, "gu")), "Removed", true),
  ],
  ["WhitespaceSplit", () => splitting(oneOf(whiteSpace), "Removed")],
  [
    "BertPreTokenizer",
    () => partingInOrder([splitting(oneOf(whiteSpace), "Removed"), splitting(oneOf(punctuation), "Isolated")]),
  ],
  [
    "Digits",
    ({ individual_digits }) => splitting(oneOf("\\p{N}"), individual_digits === true ? "Isolated" : "Contiguous"),
  ],
  ["Punctuation", ({ behavior = "Isolated" }) => splitting(oneOf(punctuation), behavior)],
  [
    "CharDelimiterSplit",
    ({ delimiter }) => splitting(findAll(new RegExp(escaped(oneCharacter(delimiter)), "gu")), "Removed"),
  ],
  ["Split", ({ pattern, behavior, invert }, where) => splitting(patternOf(pattern, where), behavior, invert === true)],
  ["Metaspace", metaspace],
  ["FixedLength", fixedLength],
  [
    "Sequence",
    ({ pretokenizers = [] }, where) =>
      partingInOrder((pretokenizers as unknown[]).map((step) => createPreTokenizer(step, where))),
  ],
  [
    "UnicodeScripts",
    (_, where) => {
      throw new UserError("unsupported-tokenizer", "the pre-tokenizer UnicodeScripts is not supported", { where });
    },
  ],
]);

/** @throws Error for a step that is not known or has other options, UserError for one that is not supported */
export function createPreTokenizer(step: unknown, where: string): PreTokenizer {
  if (step === null || step === undefined) return { parts: (part) => [part] };
  return createStep(step, preTokenizers, "pre-tokenizer", where);
}

const oneOf = (characters: string): FindAll => findMembers(classMembers(`[${characters}]`));

function partingInOrder(steps: readonly PreTokenizer[]): PreTokenizer {
  const last = steps.at(-1);
  const onlyCut = steps.every(
    ({ cut, spell }, i) => cut !== undefined && (spell === undefined || i === steps.length - 1),
  );
  if (last !== undefined && onlyCut) return cutting(inTurn(steps.map(({ cut }) => cut!)), last.spell);
  return { parts: (part) => steps.reduce((parts: Part[], step) => parts.flatMap((each) => step.parts(each)), [part]) };
}

function cutting(cut: CutWords, spell?: (word: string) => string): PreTokenizer {
  return {
    cut,
    spell,
    parts({ text, isFirst }) {
      const places: number[] = [];
      cut(text, 0, text.length, places);
      return Array.from({ length: places.length / 2 }, (_, i) => {
        const [start, end] = [places[2 * i]!, places[2 * i + 1]!];
        const word = text.slice(start, end);
        return { text: spell === undefined ? word : spell(word), isFirst: isFirst && start === 0 };
      });
    },
  };
}

/** Cuts what the cut before has left. */
function inTurn(cuts: readonly CutWords[]): CutWords {
  return cuts.reduce((before, after) => (text, from, to, places) => {
    const first: number[] = [];
    before(text, from, to, first);
    for (let i = 0; i < first.length; i += 2) after(text, first[i]!, first[i + 1]!, places);
  });
}

function splitting(pattern: FindAll | undefined, behavior: unknown, invert = false): PreTokenizer {
  // spelled as in Python's constructor or as in a saved file
  const name = String(behavior).replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const join = Object.hasOwn(behaviors, name) ? behaviors[name]! : undefined;
  if (join === undefined) throw new Error(`the behavior ${show(behavior)} is not known`);
  const isIsolated = (name === "Isolated" && !invert) || (name === "Removed" && invert);
  if (pattern?.cut !== undefined && isIsolated) return cutting(pattern.cut);
  const { isMember } = pattern ?? {};
  if (isMember !== undefined && !invert && (isIsolated || name === "Removed"))
    return cutting(cutAtMembers(isMember, isIsolated));
  return cutting((text, from, to, places) => {
    const stretch = from === 0 && to === text.length ? text : text.slice(from, to);
    for (const [start, end] of join(cutsOf(stretch, pattern, invert)))
      if (start < end) places.push(from + start, from + end);
  });
}

function cutsOf(text: string, pattern: FindAll | undefined, invert: boolean): Cut[] {
  const cuts: Cut[] = [];
  let end = 0;
  for (const [start, next] of matchesOf(text, pattern)) {
    if (start > end) cuts.push([end, start, invert]);
    end = next;
    cuts.push([start, end, !invert]);
  }
  if (end < text.length) cuts.push([end, text.length, invert]);
  return cuts;
}

function byteLevel({ add_prefix_space = true, use_regex = true }: Options): PreTokenizer {
  const split = use_regex === false ? undefined : splitting(commonPattern(gpt2Words), "Isolated");
  const whole: CutWords = (_, from, to, places) => void (from < to && places.push(from, to));
  const plain = cutting(split?.cut ?? whole, toBytesAsText);
  if (add_prefix_space !== true) return plain;
  return {
    parts: ({ text, isFirst }) => plain.parts({ text: text.startsWith(" ") ? text : ` ${text}`, isFirst }),
  };
}

function metaspace({
  replacement = "\u2581",
  prepend_scheme,
  add_prefix_space,
  split: splits = true,
}: Options): PreTokenizer {
  const mark = oneCharacter(replacement);
  const scheme = prepend_scheme ?? (add_prefix_space === false ? "never" : "always");
  if (!["always", "first", "never"].includes(scheme as string))
    throw new Error(`the prepend_scheme ${show(scheme)} is not known`);
  const split = splitting(findAll(new RegExp(escaped(mark), "gu")), "MergedWithNext");
  const parts = ({ text, isFirst }: Part): Part[] => {
    const marked = text.replaceAll(" ", () => mark);
    const isPrepended = !marked.startsWith(mark) && (scheme === "always" || (scheme === "first" && isFirst));
    const part = { text: isPrepended ? mark + marked : marked, isFirst };
    return splits === false ? [part] : split.parts(part);
  };
  return { parts };
}

/** @throws Error unless the value is one character, or the text of none that is asked for */
function oneCharacter(value: unknown): string {
  if (typeof value === "string" && Array.from(value).length === 1) return value;
  throw new Error(`${show(value)} is given where one character was expected`);
}

function fixedLength({ length }: Options): PreTokenizer {
  if (typeof length !== "number" || !Number.isInteger(length) || length < 1)
    throw new Error(`the length ${show(length)} is no positive number`);
  const parts = ({ text, isFirst }: Part): Part[] => {
    const characters = Array.from(text);
    const count = Math.ceil(characters.length / length);
    return Array.from({ length: count }, (_, i) => ({
      text: characters.slice(i * length, (i + 1) * length).join(""),
      isFirst: isFirst && i === 0,
    }));
  };
  return { parts };
}
