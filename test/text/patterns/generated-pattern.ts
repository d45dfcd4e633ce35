import fc from "fast-check";

const atom = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\u{1f600}", "^", "$", "\\W", "");
const repeat = fc.constantFrom("", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}");
const look = fc.constantFrom("(?=", "(?!", "(?<=", "(?<!");

/** Patterns of JavaScript, with every kind of part that tokenizers' patterns have, nested in every way. */
export const generatedPattern: fc.Arbitrary<string> = fc.letrec<{ pattern: string; group: string }>((tie) => ({
  group: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    fc.tuple(atom, repeat).map(([one, times]) => (/^(?:|\^|\$)$/.test(one) ? one : one + times)),
    fc.tuple(tie("pattern"), repeat).map(([inner, times]) => `(?:${inner})${times}`),
    fc.tuple(look, tie("pattern")).map(([open, inner]) => `${open}${inner})`),
  ),
  pattern: fc
    .array(
      fc.array(tie("group"), { minLength: 1, maxLength: 2 }).map((parts) => parts.join("")),
      {
        minLength: 1,
        maxLength: 2,
      },
    )
    .map((parts) => parts.join("|")),
})).pattern;

/**
 * What the engine of JavaScript finds, from each place between characters: asked for all matches, V8 also finds empty ones
 * between the two halves of a character.
 */
export function nativelyFound(source: string, text: string): number[] {
  const pattern = new RegExp(source, "uy");
  const found: number[] = [];
  for (let from = 0; from <= text.length;) {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    const end = match === null ? from : from + match[0].length;
    if (match !== null) found.push(from, end);
    from = end > from ? end : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
  }
  return found;
}
