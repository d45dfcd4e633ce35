import { describe, expect, test } from "@jest/globals";
import { elementCount, halfTable, toBfloat16, toFloat16 } from "../../../src/model/weights/encoding.ts";
import { bytesOf, fixtureJson, floatsOf } from "./files.ts";

describe("number formats", () => {
  test("rounds to 16 bits as PyTorch does, over 13 powers of ten", async () => {
    const { unrounded, asHalf, asBrain } = await fixtureJson<Record<string, string>>("types.json");
    const values = floatsOf(unrounded!);
    expect(values.length).toBeGreaterThan(2600);
    const patterns = (base64: string): Uint16Array => new Uint16Array(bytesOf(base64).buffer);
    // NaN has many patterns: ours only has to be one of them.
    const alike = (ours: Uint16Array, theirs: Uint16Array): boolean[] =>
      [...ours].map((pattern, i) => Number.isNaN(values[i]) || pattern === theirs[i]);
    expect(alike(toFloat16(values), patterns(asHalf!))).not.toContain(false);
    expect(alike(toBfloat16(values), patterns(asBrain!))).not.toContain(false);
  });

  test("half precision survives a round trip in all its patterns", () => {
    const values = halfTable();
    const patterns = toFloat16(values);
    const changed = [...patterns].filter((pattern, bits) => pattern !== bits && !Number.isNaN(values[bits]));
    expect(changed).toEqual([]);
    expect([values[0x7c01], values[0x7c00], values[0x0001], values[0xc000]]).toEqual([NaN, Infinity, 2 ** -24, -2]);
  });

  test("rounds ties to even and overflow to infinity", () => {
    // Half precision steps by 2 between 2048 and 4096: 2049 lies midway, as does 2051. 65520 is midway to 2^16.
    const rounded = toFloat16(Float32Array.of(2049, 2051, 65_519, 65_520, -70_000));
    expect([...rounded].map((pattern) => halfTable()[pattern])).toEqual([2048, 2052, 65_504, Infinity, -Infinity]);
    // bfloat16 keeps 8 bits: 257 and 259 lie midway between 256, 258 and 260 (bits 0x4380, 0x4381, 0x4382).
    expect([...toBfloat16(Float32Array.of(257, 259))]).toEqual([0x4380, 0x4382]);
    expect(toBfloat16(Float32Array.of(NaN))[0]! & 0x7fff).toBeGreaterThan(0x7f80);
    expect(toFloat16(Float32Array.of(NaN))[0]! & 0x7fff).toBeGreaterThan(0x7c00);
  });

  test("counts elements only where the count is exact", () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([2, 3, 4])).toBe(24);
    expect(elementCount([5, 0])).toBe(0);
    for (const shape of [[2 ** 30, 2 ** 30], [-1, -1], [1.5], ["2"], [NaN], "12", null]) {
      expect(elementCount(shape)).toBeUndefined();
    }
  });
});
