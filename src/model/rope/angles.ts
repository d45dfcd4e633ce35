import { kindNamed } from "./kinds/index.ts";
import { plainFrequencies } from "./kinds/powers.ts";
import { rotatedSize, type Rope } from "./rope.ts";

const { fround } = Math;

/** What the rotation of a model's heads depends on. */
export interface RotatedHeads {
  headSize: number;
  rope: Rope;
}

/**
 * Rotation per position of each turned pair of a head, in radians: `[rotated / 2]`, with scaling applied. Computed in
 * single precision and in transformers' order: a model was trained with frequencies so rounded, and after thousands of
 * positions others are off by a thousandth.
 * Source: RoFormer (arXiv 2104.09864); the scalings are those of `kinds/`.
 * @param text tokens of the text, which matters where the scaling is dynamic or longrope
 */
export function inverseFrequencies(heads: RotatedHeads, text = 0): Float32Array {
  const { theta, scaling } = heads.rope;
  const pairs = { theta, rotated: rotatedSize(heads) };
  return scaling === undefined ? plainFrequencies(pairs) : kindNamed(scaling.type).frequencies(scaling, pairs, text);
}

/**
 * Cosine and sine of the angles by which each turned pair of a head is turned at each position: `[positions, pairs]`,
 * multiplied by the attention factor of the scaling where it has one.
 * @param lengths tokens of the text that each token stands in, at the time of the pass. Absent: the texts stand one
 *   behind the other, and each begins at position 0. A text's numbers do not depend on its neighbours.
 * @throws RangeError where texts without `lengths` do not begin at 0 and their lengths matter
 */
export function rotaryAngles(
  positions: Int32Array,
  heads: RotatedHeads,
  lengths?: Int32Array,
): { cos: Float32Array; sin: Float32Array; pairs: number } {
  const { scaling } = heads.rope;
  const kind = scaling && kindNamed(scaling.type);
  const factor = fround((scaling && kind?.attentionFactor?.(scaling)) ?? 1);
  const texts = kind?.standardLength && (lengths ?? textLengths(positions));
  const known = new Map<number, Float32Array>();
  const frequenciesAt = (token: number): Float32Array => {
    const text = texts && scaling ? kind.standardLength!(scaling, texts[token]!) : 0;
    const frequencies = known.get(text) ?? inverseFrequencies(heads, text);
    known.set(text, frequencies);
    return frequencies;
  };

  const pairs = rotatedSize(heads) / 2;
  const cos = new Float32Array(positions.length * pairs);
  const sin = new Float32Array(positions.length * pairs);
  positions.forEach((position, token) =>
    frequenciesAt(token).forEach((frequency, pair) => {
      const angle = fround(position * frequency);
      cos[token * pairs + pair] = fround(Math.cos(angle)) * factor;
      sin[token * pairs + pair] = fround(Math.sin(angle)) * factor;
    }),
  );
  return { cos, sin, pairs };
}

/** Tokens of the text that each token stands in; texts begin at position 0. */
function textLengths(positions: Int32Array): Int32Array {
  const lengths = new Int32Array(positions.length);
  let start = 0;
  positions.forEach((position, token) => {
    if (position === 0) start = token;
    else if (position !== token - start) {
      throw new RangeError(`token ${token} is at position ${position}: the lengths of texts that go on must be given`);
    }
    if (positions[token + 1] !== position + 1) lengths.fill(position + 1, start, token + 1);
  });
  return lengths;
}
