import type { RandomStream } from "../../src/system/random.ts";
import { oneOf } from "./target.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const names = ["", "a", "type", "id", "__proto__", "constructor", "toString", "\u0000", "\ud800", "é".repeat(300)];
const numbers = [0, -0, 1, -1, 2, 0.5, 1e-320, 1e308, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 65, 1e21];
const texts = [
  "",
  "a",
  " ",
  "\n",
  "\ud83d",
  "\u0000",
  "true",
  "NaN",
  "a".repeat(5000),
  "(a|a)*b",
  "\\p{L}",
  "Ġ",
  "▁",
  "ﷺ",
];

/** Any value, small or nested in itself, that a key's reader may not expect. */
export function oddValue(draws: RandomStream): Json {
  const { below } = draws;
  switch (below(10)) {
    case 0:
      return null;
    case 1:
      return draws.next() < 0.5;
    case 2:
    case 3:
      return oneOf(draws, numbers);
    case 4:
    case 5:
      return oneOf(draws, texts);
    case 6:
      return Array.from({ length: below(4) }, () => oddValue(draws));
    case 7:
      return Object.fromEntries(Array.from({ length: below(4) }, () => [oneOf(draws, names), oddValue(draws)]));
    case 8:
      return Array.from({ length: below(200) }, () => oneOf(draws, numbers));
    default: {
      let nested: Json = oneOf(draws, texts);
      for (let depth = below(oneOf(draws, [4, 40, 400])); depth > 0; depth--)
        nested = depth % 2 === 0 ? [nested] : { [oneOf(draws, names)]: nested };
      return nested;
    }
  }
}

/** A tree with one change: a value replaced, left out, moved or put in twice, an own key added. */
export function changedTree(tree: Json, draws: RandomStream): Json {
  const { next, below } = draws;
  if (Array.isArray(tree) && tree.length > 0 && next() < 0.9) {
    const at = below(tree.length);
    const [here, there] = [tree[at]!, tree[below(tree.length)]!];
    const kind = next();
    if (kind < 0.7) return tree.toSpliced(at, 1, changedTree(here, draws));
    if (kind < 0.8) return tree.toSpliced(at, 1);
    if (kind < 0.9) return tree.toSpliced(at, 0, there);
    return tree.toSpliced(at, 1, oddValue(draws));
  }
  if (typeof tree === "object" && tree !== null && !Array.isArray(tree) && next() < 0.9) {
    const keys = Object.keys(tree);
    if (keys.length === 0) return oddValue(draws);
    const key = oneOf(draws, keys);
    const kind = next();
    if (kind < 0.75) return { ...tree, [key]: changedTree(tree[key]!, draws) };
    if (kind < 0.85) return Object.fromEntries(Object.entries(tree).filter(([other]) => other !== key));
    if (kind < 0.95) return { ...tree, [key]: tree[oneOf(draws, keys)]! };
    return { ...tree, [oneOf(draws, names)]: oddValue(draws) };
  }
  if (typeof tree === "number" && next() < 0.6)
    return oneOf(draws, [tree + 1, tree - 1, -tree, tree * 2, tree / 3, ...numbers]);
  if (typeof tree === "string" && next() < 0.6) {
    const at = below(tree.length + 1);
    return tree.slice(0, at) + oneOf(draws, texts) + tree.slice(at + below(3));
  }
  return oddValue(draws);
}

/** The text of a changed tree; of some also the text is changed: a key twice, a stretch left out or doubled. */
export function changedJson(tree: Json, draws: RandomStream, most = 3): string {
  let result = tree;
  for (let changes = 1 + Math.floor(most * draws.next() ** 2); changes > 0; changes--)
    result = changedTree(result, draws);
  const text = JSON.stringify(result);
  return draws.next() < 0.85 ? text : changedText(text, draws);
}

/** A text with a stretch left out, doubled or replaced. */
export function changedText(
  text: string,
  draws: RandomStream,
  pieces: readonly string[] = [...'[]{}",:-0e\\'],
): string {
  const at = draws.below(text.length + 1);
  const part = text.slice(at, at + draws.below(oneOf(draws, [2, 8, 60])));
  const rest = text.slice(at + part.length);
  const between = [
    () => "",
    () => part + part,
    () => oneOf(draws, pieces),
    () => oneOf(draws, pieces).repeat(draws.below(600)),
  ];
  return text.slice(0, at) + oneOf(draws, between)() + rest;
}
