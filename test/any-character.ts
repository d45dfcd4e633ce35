import fc from "fast-check";

const [surrogates, behind] = [0xd800, 0xe000];

/** Any character of Unicode. fast-check has the same as "binary", and takes seconds to make its table of all of them. */
export const anyCharacter: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff - (behind - surrogates) })
  .map((place) => String.fromCodePoint(place < surrogates ? place : place + behind - surrogates), placeOf);

function placeOf(text: unknown): number {
  if (typeof text !== "string" || [...text].length !== 1) throw new Error("no character");
  const code = text.codePointAt(0)!;
  if (code >= surrogates && code < behind) throw new Error("half a character");
  return code < surrogates ? code : code - (behind - surrogates);
}
