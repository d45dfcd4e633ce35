import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ggufEncodings } from "../../../src/model/weights/dequantize.ts";
import { ggufEncoders, ggufTypes, type GgufType } from "../../../src/model/weights/quantize.ts";
import { userError } from "../../user-error.ts";
import { bytesOf, fixtureJson, floatsOf } from "./files.ts";

describe("formats of GGUF files", () => {
  test.each(["f16", "bf16", "q8_0", "q4_0"] as const)(
    "%s rounds as llama.cpp's package does, to the bit",
    async (type) => {
      const made = await fixtureJson<Record<GgufType | "values", string>>("quantized.json"); // make_quantized.py
      const values = floatsOf(made.values);
      expect(values.length).toBeGreaterThan(3000);
      const expected = bytesOf(made[type]);
      const bytes = ggufEncoders[type].encode(values, "a");
      const differing = bytes.findIndex((byte, i) => byte !== expected[i]);
      expect([bytes.length, differing]).toEqual([expected.length, -1]);
    },
  );

  test.each(ggufTypes)("%s: what was read from it is written back as it was", (type) => {
    const { encode, code, blockBytes, blockValues } = ggufEncoders[type];
    const encoding = ggufEncodings.get(code)!;
    expect([encoding.blockBytes, encoding.blockValues]).toEqual([blockBytes, blockValues]);
    const numbers = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(numbers, (list) => {
        const decode = (bytes: Uint8Array): Float32Array => {
          const values = new Float32Array(32);
          encoding.decode(bytes.slice(), values);
          return values;
        };
        const once = decode(encode(Float32Array.from(list), "a"));
        expect(decode(encode(once, "a"))).toEqual(once);
      }),
    );
  });

  test.each(ggufTypes)("%s refuses numbers that are none, naming the tensor", (type) => {
    for (const value of [NaN, Infinity])
      expect(() => ggufEncoders[type].encode(new Float32Array(32).fill(value), "blk.0")).toThrow(
        userError("not-finite", "blk.0"),
      );
  });

  test("what half precision does not hold is refused", () => {
    const block = new Float32Array(32).fill(70_000);
    expect(() => ggufEncoders.f16.encode(block, "blk.0")).toThrow(userError("out-of-range", /blk\.0 .*70000/));
    expect(ggufEncoders.bf16.encode(block, "blk.0")).toHaveLength(64);
    const larger = new Float32Array(32).fill(1e7); // 1e7 / 127 is a scale beyond 65504, and so is 1e7 / -8
    for (const type of ["q8_0", "q4_0"] as const)
      expect(() => ggufEncoders[type].encode(larger, "blk.0")).toThrow(userError("out-of-range", "blk.0"));
  });
});
