import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { ggufEncodings } from "../../../src/model/weights/dequantize.ts";
import { readStored, requireFinite } from "../../../src/model/weights/encoding.ts";
import { stream } from "../../../src/system/random.ts";
import { userError } from "../../user-error.ts";
import { bytesOf, fixture, floatsOf, temporaryFolder, withFile } from "./files.ts";

const inFolder = temporaryFolder();
const blocks = JSON.parse(readFileSync(fixture("blocks.json"), "utf8")) as Record<
  string,
  { bytes: string; values: string }
>;

describe("GGUF block formats", () => {
  test("every format has reference blocks", () => {
    expect([...ggufEncodings.values()].map(({ name }) => name).sort()).toEqual(Object.keys(blocks).sort());
  });

  test.each([...ggufEncodings.values()])("$name decodes to the very numbers of the reference", (encoding) => {
    const { bytes, values } = blocks[encoding.name]!;
    const expected = floatsOf(values);
    const decoded = new Float32Array(expected.length);
    encoding.decode(bytesOf(bytes), decoded);
    expect(decoded).toEqual(expected);
    expect(bytesOf(bytes)).toHaveLength((expected.length / encoding.blockValues) * encoding.blockBytes);
  });

  test("a tensor of several chunks decodes as one", async () => {
    const encoding = [...ggufEncodings.values()].find(({ name }) => name === "Q6_K")!;
    const { bytes, values } = blocks["Q6_K"]!;
    const [block, expected] = [bytesOf(bytes), floatsOf(values)];
    const repeats = 7000; // 21,000 blocks of 210 bytes: 4.4 MB, more than one chunk
    const data = new Uint8Array(1 + block.length * repeats);
    for (let i = 0; i < repeats; i++) data.set(block, 1 + i * block.length);
    const tensor = { name: "a", shape: [], encoding, offset: 1, bytes: data.length - 1 };
    const decoded = await withFile(inFolder("chunks"), data, (file) => readStored(file, tensor));
    expect(decoded).toHaveLength(expected.length * repeats);
    const isCopy = (i: number): boolean =>
      decoded.subarray(i * expected.length, (i + 1) * expected.length).every((value, j) => value === expected[j]);
    expect(Array.from({ length: repeats }, (_, i) => isCopy(i))).not.toContain(false);
  });

  test.each([...ggufEncodings.values()].filter(({ blockValues }) => blockValues > 1))(
    "$name in its file is refused where, and only where, a number of it is NaN or infinite",
    async (encoding) => {
      const { blockBytes, blockValues, name } = encoding;
      const { below } = stream(1, name);
      const outcomes = new Set<string>();
      for (let round = 0; round < 40; round++) {
        const block = (): number[] => Array.from({ length: blockBytes }, () => below(256));
        const data = Uint8Array.from([...block(), ...block(), ...block()]);
        // exponents of infinity are rare among random bytes: a byte in the middle block gets one
        if (round % 2 === 0)
          data[blockBytes + (round % 4 === 0 ? below(blockBytes) : encoding.halvesAt!.at(-1)! + 1)] = 0x7c;
        const decoded = new Float32Array(3 * blockValues);
        encoding.decode(data, decoded);
        const wrong = decoded.findIndex((value) => !Number.isFinite(value));
        const tensor = {
          name: "blk.0.attn_q.weight",
          shape: [3, blockValues],
          encoding,
          offset: 0,
          bytes: data.length,
        };
        const looked = withFile(inFolder("scales"), data, (file) => requireFinite(file, tensor));
        const place = Math.floor(wrong / blockValues) * blockValues;
        if (wrong < 0) await expect(looked).resolves.toBeUndefined();
        else
          await expect(looked).rejects.toThrow(
            userError(
              "not-finite",
              new RegExp(`attn_q.weight has the scale (NaN|-?Infinity) in ${name} at place ${place}`),
            ),
          );
        outcomes.add(wrong < 0 ? "sound" : "refused");
      }
      expect([...outcomes].toSorted()).toEqual(["refused", "sound"]);
    },
  );
});
