import { readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { UserError, type ErrorCode } from "../../../src/system/errors.ts";
import { readGgufHeader, type GgufHeader } from "../../../src/model/weights/gguf.ts";
import { userError } from "../../user-error.ts";
import { fixture, pack, temporaryFolder, withFile } from "./files.ts";

const inFolder = temporaryFolder();
const headerOf = (bytes: Uint8Array): Promise<GgufHeader> => withFile(inFolder("header.gguf"), bytes, readGgufHeader);

type Parts = Parameters<typeof pack>;
const magic = Buffer.from("GGUF");

/** A header with these counts, then whatever follows. */
function gguf(tensors: number | bigint, entries: number | bigint, ...rest: Parts): Uint8Array {
  return pack(magic, ["u32", 3], ["u64", tensors], ["u64", entries], ...rest);
}

const alignment = (value: number): Parts => [
  ["text", "general.alignment"],
  ["u32", 4],
  ["u32", value],
];

/** Description of an F32 tensor. */
function tensor(name: string, shape: (number | bigint)[], offset: number | bigint, type = 0): Parts {
  const sizes = shape.map((size) => ["u64", size] as ["u64", number | bigint]);
  return [["text", name], ["u32", shape.length], ...sizes, ["u32", type], ["u64", offset]];
}

const padded = (bytes: Uint8Array, to: number): Uint8Array => pack(bytes, new Uint8Array(to - bytes.length));
const list = (type: number, count: number | bigint): Parts => [
  ["u32", type],
  ["u64", count],
];

describe("reading GGUF headers", () => {
  test("reads key-values of all types and tensors row-major", async () => {
    const { metadata, tensors } = await headerOf(await readFile(fixture("tiny.gguf")));
    expect(metadata).toMatchObject({
      "general.architecture": "llama",
      "llama.block_count": 2,
      "llama.rope.freq_base": 500_000,
      "tokenizer.ggml.tokens": ["a", "b", "<s>", "</s>", "\u0120x"],
    });
    expect(tensors.get("token_embd.weight")).toMatchObject({
      shape: [5, 32],
      encoding: { name: "Q8_0" },
      bytes: 5 * 34,
    });
  });

  test("keeps 64-bit integers exact", async () => {
    const { metadata } = await headerOf(
      gguf(0, 3, ["text", "a"], ["u32", 10], ["u64", 7], ["text", "b"], ["u32", 10], ["u64", 2n ** 60n + 1n], ["text", "c"], ["u32", 11], ["u64", 2n ** 64n - 1n]), // prettier-ignore
    );
    expect({ ...metadata }).toEqual({ a: 7, b: 2n ** 60n + 1n, c: -1 });
  });

  test("honours an alignment of its own", async () => {
    const bytes = padded(gguf(1, 1, ...alignment(64), ...tensor("a", [1], 0)), 128 + 4);
    expect((await headerOf(bytes)).tensors.get("a")!.offset).toBe(128);
  });

  const deep = Array.from({ length: 1000 }, () => list(9, 1)).flat();
  test.each<[string, Uint8Array, ErrorCode?]>([
    ["not a GGUF file", new Uint8Array(0), "wrong-file-kind"],
    ["not a GGUF file", Buffer.from("GG"), "wrong-file-kind"],
    ["not a GGUF file", pack(Buffer.from("GGML"), ["u32", 3]), "wrong-file-kind"],
    ["version 1", pack(magic, ["u32", 1], ["u32", 0], ["u32", 0]), "unsupported-file"],
    ["version 50331648", pack(magic, ["u32", 0x03000000]), "unsupported-file"],
    ["past the end", pack(magic, ["u32", 3], ["u32", 0])],
    ["claims 1099511627776 tensors", gguf(2n ** 40n, 0)],
    ["more tensors than the file holds", gguf(1000, 0)],
    ["claims 18446744073709552000 key-values", gguf(0, 2n ** 64n - 1n)],
    ["more key-values than", gguf(0, 1000)],
    ["claims 1099511627776 bytes of text", gguf(0, 1, ["u64", 2n ** 40n], new Uint8Array(20))],
    ["more bytes of text than", gguf(0, 1, ["u64", 1000], new Uint8Array(20))],
    ["claims 1099511627776 list items", gguf(0, 1, ["text", "a"], ["u32", 9], ...list(4, 2n ** 40n))],
    ["more list items than", gguf(0, 1, ["text", "a"], ["u32", 9], ...list(8, 1000), new Uint8Array(1000))],
    ["more list items than", gguf(0, 1, ["text", "a"], ["u32", 9], ...list(99, 1000), new Uint8Array(1000))],
    ["nested deeper than 4", gguf(0, 1, ["text", "a"], ["u32", 9], ...deep, ...list(4, 0))],
    ["unknown type 99", gguf(0, 1, ["text", "a"], ["u32", 99], new Uint8Array(8))],
    ["unknown type 13", gguf(0, 1, ["text", "a"], ["u32", 9], ...list(13, 1), new Uint8Array(20))],
    ["not UTF-8", gguf(0, 1, ["u64", 2], Uint8Array.of(0xff, 0xff), ["u32", 4], ["u32", 0])],
    ['key "a" occurs twice', gguf(0, 2, ["text", "a"], ["u32", 4], ["u32", 0], ["text", "a"], ["u32", 4], ["u32", 0])],
    ["a power of two, not 0", gguf(0, 1, ...alignment(0))],
    ["a power of two, not 48", gguf(0, 1, ...alignment(48))],
    ["a power of two, not 2147483648", gguf(0, 1, ...alignment(2 ** 31))],
    ["4294967295 dimensions", gguf(1, 0, ["text", "a"], ["u32", 2 ** 32 - 1], new Uint8Array(30))],
    ["type Q2_K", gguf(1, 0, ...tensor("a", [256], 0, 10)), "unsupported-file"],
    ["type 12345", gguf(1, 0, ...tensor("a", [1], 0, 12_345)), "unsupported-file"],
    ["impossible shape", gguf(1, 0, ...tensor("a", [2n ** 40n, 2n ** 40n], 0))],
    ["impossible shape [31]", gguf(1, 0, ...tensor("a", [31], 0, 8))],
    ["outside the file", gguf(1, 0, ...tensor("a", [1], 0))],
    ["outside the file", gguf(1, 0, ...tensor("a", [0], 2n ** 63n))],
    ["outside the file", padded(gguf(1, 0, ...tensor("a", [9], 0)), 64 + 35)],
    ["not aligned", padded(gguf(1, 0, ...tensor("a", [1], 4)), 128)],
    ["occurs twice", padded(gguf(2, 0, ...tensor("a", [1], 0), ...tensor("a", [1], 32)), 192)],
    ["overlap", padded(gguf(2, 0, ...tensor("a", [9], 0), ...tensor("b", [1], 32)), 192)],
  ])("refuses: %s", async (reason, bytes, code = "damaged-file") => {
    await expect(headerOf(bytes)).rejects.toThrow(userError(code, reason));
  });

  test("keys named like prototype members are keys like any other", async () => {
    const { metadata } = await headerOf(
      gguf(0, 2, ["text", "__proto__"], ["u32", 4], ["u32", 1], ["text", "toString"], ["u32", 4], ["u32", 2]),
    );
    expect(Object.entries(metadata)).toEqual([
      ["__proto__", 1],
      ["toString", 2],
    ]);
  });

  test("any damage is either a UserError or still a valid file", async () => {
    const whole = await readFile(fixture("tiny.gguf"));
    const { tensors } = await headerOf(whole);
    const headerBytes = Math.min(...[...tensors.values()].map(({ offset }) => offset));
    await fc.assert(
      fc.asyncProperty(fc.nat(headerBytes - 1), fc.nat(255), fc.nat(whole.length), async (at, byte, length) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = byte;
        for (const bytes of [damaged, whole.subarray(0, length)]) {
          await headerOf(bytes).catch((error: unknown) => {
            expect(error).toBeInstanceOf(UserError);
          });
        }
      }),
      { numRuns: 200 },
    );
  });
});
