import type { RandomStream } from "../../src/system/random.ts";
import { oneOf } from "./target.ts";

/** A sound file, and where what says how it is to be read lies in it. */
export interface Sample {
  readonly bytes: Uint8Array;
  /** Stretches `[from, to)`; most changes fall on them. Default: the whole file. */
  readonly headers?: readonly (readonly [from: number, to: number])[];
}

/** Numbers at which sums, products and conversions turn over. */
const extremes: readonly bigint[] = [
  ...[0n, 1n, -1n, 2n, 3n, 4n, 7n, 8n, 16n, 24n, 32n, 64n, 255n, 256n],
  ...[15n, 16n, 24n, 27n, 31n, 32n, 40n, 53n, 62n, 63n].flatMap((bits) => [1n << bits, (1n << bits) - 1n]),
];

/** A sound file with changes, up to `most`: bits, lengths, places, stretches left out, doubled, moved, taken from another. */
export function changed(samples: readonly Sample[], draws: RandomStream, most = 6): Uint8Array {
  const { below, next } = draws;
  const { bytes: sound, headers } = oneOf(draws, samples);
  let bytes: Uint8Array = Uint8Array.from(sound);
  const place = (): number => {
    if (headers === undefined || next() < 0.15) return below(bytes.length);
    const [from, to] = oneOf(draws, headers);
    return Math.min(bytes.length - 1, from + below(Math.max(1, to - from)));
  };
  for (let changes = 1 + Math.floor(most * next() ** 2); changes > 0 && bytes.length > 0; changes--) {
    const kind = next();
    if (kind < 0.3) bytes[place()]! ^= 1 << below(8);
    else if (kind < 0.4) bytes[place()] = oneOf(draws, [0, 1, 0x22, 0x5b, 0x7b, 0x7f, 0x80, 0xff]);
    else if (kind < 0.75) setNumber(bytes, place(), draws);
    else bytes = moved(bytes, place(), oneOf(draws, samples).bytes, draws);
  }
  return bytes;
}

/** Writes an extreme number, one near to what stood there, the file's size or another word of the file. */
function setNumber(bytes: Uint8Array, place: number, draws: RandomStream): void {
  const width = oneOf(draws, [2, 4, 4, 8]);
  const at = draws.next() < 0.7 ? place - (place % Math.min(width, 4)) : place;
  if (at + width > bytes.length) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const get = (from: number): bigint =>
    width === 2
      ? BigInt(view.getUint16(from, true))
      : width === 4
        ? BigInt(view.getUint32(from, true))
        : view.getBigUint64(from, true);
  const value = [
    () => oneOf(draws, extremes),
    () => get(at) + BigInt(draws.below(17) - 8),
    () => BigInt(bytes.length + draws.below(9) - 4),
    () => get(draws.below(bytes.length - width + 1)),
  ][draws.below(4)]!();
  if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  else view.setBigUint64(at, BigInt.asUintN(64, value), true);
}

function moved(bytes: Uint8Array, place: number, other: Uint8Array, draws: RandomStream): Uint8Array {
  const { below } = draws;
  const length = 1 + below(oneOf(draws, [4, 16, 64, 400]));
  const part = bytes.subarray(place, place + length);
  const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place + part.length)];
  switch (below(6)) {
    case 0:
      return bytes.slice(0, place); // cut short
    case 1:
      return Buffer.concat([before, behind]);
    case 2:
      return Buffer.concat([before, part, part, behind]);
    case 3: {
      const from = below(other.length);
      return Buffer.concat([before, other.subarray(from, from + length), behind]); // from another file, or another place
    }
    case 4:
      return Buffer.concat([before, Buffer.alloc(length, below(256)), behind]);
    default: {
      const copy = Uint8Array.from(bytes);
      copy.copyWithin(below(bytes.length), place, place + length);
      return copy;
    }
  }
}
