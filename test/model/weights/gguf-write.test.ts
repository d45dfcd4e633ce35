import { describe, expect, test } from "@jest/globals";
import type { GgufEntries } from "../../../src/model/gguf-entries.ts";
import { readStored } from "../../../src/model/weights/encoding.ts";
import { readGgufHeader } from "../../../src/model/weights/gguf.ts";
import { writeGguf, type GgufTensor } from "../../../src/model/weights/gguf-write.ts";
import { userError } from "../../user-error.ts";
import { temporaryFolder, withFile } from "./files.ts";

const inFolder = temporaryFolder();

async function written(entries: GgufEntries, tensors: GgufTensor[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  await writeGguf({ entries, tensors }, (bytes) => void parts.push(bytes.slice()));
  return Buffer.concat(parts);
}

const tensor = (name: string, shape: number[], type: GgufTensor["type"] = "f32", first = 0): GgufTensor => ({
  name,
  shape,
  type,
  values: () => Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => first + i),
});

describe("writing GGUF files", () => {
  test("a number that bf16 would round to infinity is refused", async () => {
    const huge = { ...tensor("huge", [1], "bf16"), values: () => Float32Array.of(-3.4e38) };
    await expect(written({}, [huge])).rejects.toThrow(userError("out-of-range", "huge"));
    await written({}, [{ ...huge, values: () => Float32Array.of(3.389e38) }]);
  });

  test("values of every kind are read as they were, and tensors row-major", async () => {
    const bytes = await written(
      {
        text: "naïve ✓",
        yes: true,
        no: false,
        whole: 2 ** 32 - 1,
        real: { float: 0.1 },
        texts: ["", "a", "\u0120b"],
        marks: [true, false],
        signed: Int32Array.of(-1, 3),
        unsigned: Uint32Array.of(4, 2 ** 31),
        scores: Float32Array.of(-1.5, 0.1),
      },
      [tensor("a", [3]), tensor("b", [2, 32], "q8_0"), tensor("c", [2, 3], "f16", 5)],
    );
    await withFile(inFolder("all.gguf"), bytes, async (file) => {
      const { metadata, tensors } = readGgufHeader(file);
      expect({ ...metadata }).toEqual({
        text: "naïve ✓",
        yes: true,
        no: false,
        whole: 2 ** 32 - 1,
        real: Math.fround(0.1),
        texts: ["", "a", "\u0120b"],
        marks: [true, false],
        signed: [-1, 3],
        unsigned: [4, 2 ** 31],
        scores: [-1.5, Math.fround(0.1)],
        "general.alignment": 32,
      });
      const described = [...tensors.values()].map(({ name, shape, encoding, offset }) => [
        name,
        shape,
        encoding.name,
        offset % 32,
      ]);
      expect(described).toEqual([
        ["a", [3], "F32", 0],
        ["b", [2, 32], "Q8_0", 0],
        ["c", [2, 3], "F16", 0],
      ]);
      expect([...(await readStored(file, tensors.get("a")!))]).toEqual([0, 1, 2]);
      expect([...(await readStored(file, tensors.get("c")!))]).toEqual([5, 6, 7, 8, 9, 10]);
    });
    expect(bytes.length % 32).toBe(0);
  });

  test("one tensor is read after the other has been written, a large one in parts", async () => {
    const events: string[] = [];
    const large = (name: string): GgufTensor => {
      const { values, ...rest } = tensor(name, [3, 2 ** 20], "bf16");
      return { ...rest, values: () => (events.push(name), values()) };
    };
    await writeGguf({ entries: {}, tensors: [large("a"), large("b")] }, (bytes) => {
      if (bytes.length > 1000) events.push(String(bytes.length));
    });
    const part = String(2 ** 21);
    expect(events).toEqual(["a", part, part, part, "b", part, part, part]);
  });

  test.each<[string, GgufTensor[], string]>([
    ["values that do not fill the shape", [{ ...tensor("a", [4]), values: () => new Float32Array(3) }], "a has 3"],
    ["rows that no block fits", [tensor("a", [2, 33], "q4_0")], "q4_0"],
  ])("%s are refused", async (_, tensors, reason) => {
    await expect(written({}, tensors)).rejects.toThrow(userError("wrong-shape", reason));
  });

  test("a name stands once", async () => {
    await expect(written({}, [tensor("a", [1]), tensor("a", [1])])).rejects.toThrow(userError("repeated-tensor", "a"));
  });
});
