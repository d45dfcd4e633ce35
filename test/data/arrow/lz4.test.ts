import { describe, expect, test } from "@jest/globals";
import { decompressLz4 } from "../../../src/data/arrow/lz4.ts";

/** A frame without optional fields around blocks; `stored` blocks are not compressed. */
function frame(...blocks: { bytes: number[]; stored?: boolean }[]): Uint8Array {
  const size = ({ bytes, stored }: { bytes: number[]; stored?: boolean }): number[] => [
    bytes.length & 255,
    bytes.length >> 8,
    0,
    stored ? 0x80 : 0,
  ];
  return Uint8Array.from([
    0x04,
    0x22,
    0x4d,
    0x18,
    0x40,
    0x40,
    0,
    ...blocks.flatMap((b) => [...size(b), ...b.bytes]),
    0,
    0,
    0,
    0,
  ]);
}

const a = 97;
const b = 98;

describe("decompressLz4", () => {
  test("copies literals and matches, which may overlap what they write", () => {
    // Token 0x22: 2 literals "ab", then a match of 2 + 4 = 6 at distance 2: "ababab"; then 1 literal.
    const bytes = [0x22, a, b, 2, 0, 0x10, a];
    expect(Buffer.from(decompressLz4(frame({ bytes }), 100)).toString()).toBe("ababababa");
  });

  test("reads lengths beyond 15", () => {
    // 1 literal, then a match of 15 + 255 + 3 + 4 = 277 at distance 1; the last sequence has no literals.
    const bytes = [0x1f, a, 1, 0, 255, 3, 0x00];
    expect(Buffer.from(decompressLz4(frame({ bytes }), 1000)).toString()).toBe("a".repeat(278));
  });

  test("lets a block refer to the one before it, and takes stored blocks", () => {
    const blocks = [{ bytes: [a, b], stored: true }, { bytes: [0x00, 2, 0, 0x00] }];
    expect(Buffer.from(decompressLz4(frame(...blocks), 100)).toString()).toBe("ababab");
  });

  test("refuses to grow beyond the limit, before it allocates", () => {
    const bytes = [0x1f, a, 1, 0, ...new Array<number>(1000).fill(255), 0, 0x00];
    expect(() => decompressLz4(frame({ bytes }), 1000)).toThrow(/more than 1000 bytes/);
  });

  test("refuses what is cut short or points before the start", () => {
    expect(() => decompressLz4(frame({ bytes: [0x12, a, 2, 0, 0x00] }), 100)).toThrow(/before the start/);
    expect(() => decompressLz4(frame({ bytes: [0x50, a] }), 100)).toThrow(/cut short/);
    expect(() => decompressLz4(frame({ bytes: [a], stored: true }).subarray(0, 10), 100)).toThrow(/cut short/);
    expect(() => decompressLz4(new Uint8Array(20), 100)).toThrow(/not an LZ4 frame/);
  });
});
