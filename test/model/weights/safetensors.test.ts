import { readFile, readdir, writeFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { UserError, type ErrorCode } from "../../../src/system/errors.ts";
import { readStored, readWeights, requireFinite } from "../../../src/model/weights/encoding.ts";
import { openFile } from "../../../src/model/weights/file.ts";
import { writeSafetensors } from "../../../src/model/weights/safetensors-write.ts";
import { readSafetensorsHeader } from "../../../src/model/weights/safetensors.ts";
import { userError } from "../../user-error.ts";
import { fixture, fixtureJson, floatsOf, pack, temporaryFolder, withFile } from "./files.ts";

const inFolder = temporaryFolder();

/** A safetensors file: a header (text or an object), the length it claims, and `data` bytes of zeros. */
function safetensors(header: string | object, data = 0, claimed?: number | bigint): Uint8Array {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  return pack(["u64", claimed ?? text.length], text, new Uint8Array(data));
}

const headerOf = (bytes: Uint8Array): Promise<Map<string, unknown>> =>
  withFile(inFolder("header.safetensors"), bytes, readSafetensorsHeader);

async function readAll(path: string): Promise<Map<string, Float32Array>> {
  const file = await openFile(path);
  try {
    const values = new Map<string, Float32Array>();
    for (const [name, tensor] of await readSafetensorsHeader(file)) values.set(name, await readStored(file, tensor));
    return values;
  } finally {
    await file.close();
  }
}

describe("reading safetensors", () => {
  test("reads every supported type as PyTorch wrote it", async () => {
    const expected = await fixtureJson<Record<string, string>>("types.json");
    const values = await readAll(fixture("types.safetensors"));
    expect([...values.keys()].sort()).toEqual(["brain", "half", "none", "scalar", "single"]);
    for (const [name, found] of values) expect(found).toEqual(floatsOf(expected[name]!));
  });

  const two = { dtype: "F32", shape: [2] };
  test.each<[string, Uint8Array, ErrorCode?]>([
    ["a file of 0 bytes", new Uint8Array(0)],
    ["a file of 5 bytes", new Uint8Array(5)],
    ["at most 100000000", safetensors("{}", 0, 2n ** 60n)],
    ["more than the file has", safetensors("{}", 0, 3)],
    ["is not JSON", safetensors('{"a": NaN}')],
    ["is not JSON", safetensors('{"a": {"dtype"')],
    ["is not JSON", safetensors("")],
    ["is not JSON", pack(["u64", 4], Uint8Array.of(0x7b, 0xff, 0xff, 0x7d))],
    ["not a JSON object", safetensors("[]")],
    ["nested more than 256 deep", safetensors("[".repeat(100_000) + "]".repeat(100_000))],
    ["has no description", safetensors({ a: 7 })],
    ["impossible shape", safetensors({ a: { dtype: "F32", shape: [-2], data_offsets: [0, 8] } }, 8)],
    ["impossible shape", safetensors({ a: { dtype: "F32", shape: "2", data_offsets: [0, 8] } }, 8)],
    ["impossible shape", safetensors({ a: { dtype: "F32", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 8] } }, 8)],
    ["impossible data_offsets", safetensors({ a: { ...two, data_offsets: [-8, 0] } }, 8)],
    ["impossible data_offsets", safetensors({ a: { ...two, data_offsets: [0] } }, 8)],
    ["impossible data_offsets", safetensors({ a: two }, 8)],
    ["outside the file", safetensors({ a: { ...two, data_offsets: [0, 9] } }, 8)],
    ["outside the file", safetensors({ a: { ...two, data_offsets: [8, 0] } }, 8)],
    ["outside the file", safetensors({ a: { ...two, data_offsets: [0, "8"] } }, 8)],
    ["outside the file", safetensors({ a: { ...two, data_offsets: [0, 2 ** 60] } }, 8)],
    ["cannot fill 8 bytes", safetensors({ a: { dtype: "F32", shape: [3], data_offsets: [0, 8] } }, 8)],
    ['"b" overlaps', safetensors({ a: { ...two, data_offsets: [0, 8] }, b: { ...two, data_offsets: [4, 12] } }, 12)],
    ["4 bytes before", safetensors({ a: { ...two, data_offsets: [4, 12] } }, 12)],
    ["4 bytes at the end", safetensors({ a: { ...two, data_offsets: [0, 8] } }, 12)],
    [
      "twice",
      safetensors(`{"a": ${JSON.stringify({ ...two, data_offsets: [0, 8] })}, "\\u0061": {"dtype": "F32"}}`, 8),
    ],
    ["twice", safetensors(`{"a": {"dtype": "F32", "dtype": "F16", "shape": [2], "data_offsets": [0, 8]}}`, 8)],
    ["twice", safetensors(`{"__metadata__": {"x": "1", "x": "2"}}`)],
    ["__metadata__ has 1", safetensors({ __metadata__: { x: 1 } })],
    ["__metadata__ is no object", safetensors({ __metadata__: "x" })],
    ['the type "I64"', safetensors({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, 8), "unsupported-file"],
    [
      'the type "toString"',
      safetensors({ a: { dtype: "toString", shape: [1], data_offsets: [0, 8] } }, 8),
      "unsupported-file",
    ],
  ])("refuses: %s", async (reason, bytes, code = "damaged-file") => {
    await expect(headerOf(bytes)).rejects.toThrow(userError(code, reason));
  });

  test("a repeated key is found whatever stands inside texts and nested objects", async () => {
    const metadata = '"__metadata__": {"x": "{\\"a\\": [", "y": "}", "a": "a"}';
    const entry = JSON.stringify({ ...two, data_offsets: [0, 8] });
    expect([...(await headerOf(safetensors(`{${metadata}, "a": ${entry}}`, 8))).keys()]).toEqual(["a"]);
    await expect(headerOf(safetensors(`{${metadata}, "a": ${entry}, "a" : ${entry}}`, 8))).rejects.toThrow(
      userError("damaged-file", /header\.safetensors: .*"a" is given twice/),
    );
  });

  test("a name of ten million letters is read", async () => {
    const name = "a".repeat(1e7);
    const entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
    const tensors = await headerOf(safetensors(`{"__metadata__":{"text":"${name}"},"${name}":${entry}}`));
    expect([...tensors.keys()].map(({ length }) => length)).toEqual([1e7]);
  });

  test("a number that is none is named with its tensor and place", async () => {
    const header = { a: { dtype: "BF16", shape: [2, 2], data_offsets: [0, 8] } };
    const bytes = safetensors(header, 8);
    const read = (): Promise<unknown> =>
      withFile(inFolder("nan.safetensors"), bytes, async (file) => {
        const tensor = (await readSafetensorsHeader(file)).get("a")!;
        await expect(requireFinite(file, tensor).then(() => readWeights(file, tensor))).resolves.toHaveLength(4);
        bytes.set([0xc0, 0x7f], bytes.length - 4); // the third is NaN
      });
    await read();
    await withFile(inFolder("nan.safetensors"), bytes, async (file) => {
      const tensor = (await readSafetensorsHeader(file)).get("a")!;
      const refusal = userError("not-finite", /nan\.safetensors: .*weight a holds NaN at place 2/);
      await expect(readWeights(file, tensor)).rejects.toThrow(refusal);
      await expect(requireFinite(file, tensor)).rejects.toThrow(refusal);
    });
  });

  test("names of prototype members are names like any other", async () => {
    const entry = (first: number): string => JSON.stringify({ ...two, data_offsets: [first, first + 8] });
    const header = `{"__proto__": ${entry(0)}, "constructor": ${entry(8)}, "hasOwnProperty": ${entry(16)}}`;
    const tensors = await headerOf(safetensors(header, 24));
    expect([...tensors.keys()].sort()).toEqual(["__proto__", "constructor", "hasOwnProperty"]);
    expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined();
  });

  test("names what a download left out", async () => {
    const whole = await readFile(fixture("types.safetensors"));
    for (const length of [7, 8, 100, whole.length - 1]) {
      await expect(headerOf(whole.subarray(0, length))).rejects.toThrow(
        userError("damaged-file", "header.safetensors"),
      );
    }
  });

  test("any damage is either a UserError or still a valid file", async () => {
    const whole = await readFile(fixture("types.safetensors"));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, byte) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = byte;
        await headerOf(damaged).catch((error: unknown) => {
          expect(error).toBeInstanceOf(UserError);
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe("writing safetensors", () => {
  test("a finite number that bfloat16 would round to infinity is refused, infinity itself is kept", async () => {
    const path = inFolder("huge.safetensors");
    const write = (value: number) =>
      writeSafetensors(path, [{ name: "huge", shape: [1], values: Float32Array.of(value), type: "bfloat16" }]);
    await expect(write(3.4e38)).rejects.toThrow(userError("out-of-range", "huge"));
    await write(3.389e38);
    await write(Infinity);
    expect((await readAll(path)).get("huge")).toEqual(Float32Array.of(Infinity));
  });

  const tensorsOf = fc.dictionary(
    fc.string({ minLength: 1, unit: "grapheme" }).filter((name) => name !== "__metadata__"),
    fc.float32Array({ maxLength: 20 }),
    { maxKeys: 6 },
  );

  test("what is written reads back bit for bit", async () => {
    const path = inFolder("round-trip.safetensors");
    await fc.assert(
      fc.asyncProperty(tensorsOf, async (tensors) => {
        const list = Object.entries(tensors).map(([name, values]) => ({ name, shape: [1, values.length], values }));
        await writeSafetensors(path, list);
        const read = await readAll(path);
        expect([...read.keys()]).toHaveLength(list.length);
        for (const { name, values } of list) expect(read.get(name)).toEqual(values);
      }),
      { numRuns: 60 },
    );
  });

  test("data starts at a multiple of 8, tensors stand in the order of their names", async () => {
    const path = inFolder("aligned.safetensors");
    const values = Float32Array.of(1, 2);
    await writeSafetensors(path, [
      { name: "b", shape: [2], values },
      { name: "a", shape: [2, 1], values: () => Promise.resolve(values) },
    ]);
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.subarray(8, 8 + length).toString())).toEqual({
      __metadata__: { format: "pt" },
      a: { dtype: "F32", shape: [2, 1], data_offsets: [0, 8] },
      b: { dtype: "F32", shape: [2], data_offsets: [8, 16] },
    });
    expect(bytes).toHaveLength(8 + length + 16);
  });

  test("16-bit types round, and a number too large for float16 is refused", async () => {
    const path = inFolder("half.safetensors");
    const tensor = { name: "a", shape: [2], values: Float32Array.of(257, -Infinity) };
    await writeSafetensors(path, [tensor], { type: "bfloat16" });
    expect((await readAll(path)).get("a")).toEqual(Float32Array.of(256, -Infinity));
    await writeSafetensors(path, [tensor], { type: "float16" });
    expect((await readAll(path)).get("a")).toEqual(Float32Array.of(257, -Infinity));
    const large = { ...tensor, values: Float32Array.of(0, 70_000) };
    await expect(writeSafetensors(path, [large], { type: "float16" })).rejects.toThrow(
      userError("out-of-range", "a holds 70000"),
    );
  });

  test("a failure leaves the old file and nothing else", async () => {
    const path = inFolder("kept.safetensors");
    await writeFile(path, "old");
    const before = await readdir(inFolder("."));
    const good = { name: "a", shape: [1], values: Float32Array.of(1) };
    const failing = { ...good, name: "b", values: () => Promise.reject(new Error("engine lost")) };
    await expect(writeSafetensors(path, [good, failing])).rejects.toThrow("engine lost");
    await expect(writeSafetensors(path, [good, good])).rejects.toThrow(
      userError("repeated-tensor", "kept.safetensors"),
    );
    await expect(writeSafetensors(path, [{ ...good, shape: [2] }])).rejects.toThrow(
      userError("wrong-shape", /\ba .* 1 .*\[2\]/),
    );
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(inFolder("."))).toEqual(before);
  });
});
