import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ggufEncodings } from "../../src/model/weights/dequantize.ts";
import { toBfloat16, toFloat16 } from "../../src/model/weights/encoding.ts";
import { stream } from "../../src/system/random.ts";
import type { StoredEncoding, StoredWeight } from "../../src/tensor/stored-weight.ts";

/** Encodings of weights that can stay in their file, by name. */
export const encodings: ReadonlyMap<string, StoredEncoding> = new Map(
  [...ggufEncodings.values()].filter(({ name }) => name !== "F32").map((encoding) => [encoding.name, encoding]),
);

/** Where the blocks of a type have half-precision scales, in bytes. */
const scales: Record<string, number[]> = {
  ...{ Q4_0: [0], Q4_1: [0, 2], Q5_0: [0], Q5_1: [0, 2], Q8_0: [0], Q4_K: [0, 2], Q5_K: [0, 2], Q6_K: [208] },
};

/** Random stored bytes of `count` numbers: every pattern of bits, but for scales, which are from -0.05 to 0.05. */
export function storedBytes({ name, blockBytes, blockValues }: StoredEncoding, count: number, seed: string): Buffer {
  const random = stream("stored weights", name, seed);
  const numbers = Float32Array.from({ length: count }, () => (random.next() - 0.5) / 10);
  if (name === "BF16") return Buffer.from(toBfloat16(numbers).buffer);
  if (name === "F16") return Buffer.from(toFloat16(numbers).buffer);
  const bytes = Buffer.from(Array.from({ length: (count / blockValues) * blockBytes }, () => random.below(256)));
  const halves = toFloat16(Float32Array.from({ length: 509 }, () => (random.next() - 0.5) / 10));
  for (let at = 0, i = 0; at < bytes.length; at += blockBytes)
    for (const place of scales[name]!) bytes.writeUInt16LE(halves[i++ % halves.length]!, at + place);
  return bytes;
}

/** Files with stored weights, for the time of a test. */
export function storedWeights(): {
  make(
    name: string,
    shape: [number, number],
    options?: { head?: number; bytes?: Buffer; offset?: number },
  ): StoredWeight;
  dispose(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), "stored-"));
  const files: number[] = [];
  return {
    make(name, shape, { head = 0, bytes, offset = 24 } = {}) {
      const encoding = encodings.get(name)!;
      const path = join(folder, `${files.length}.bin`);
      const content = bytes ?? storedBytes(encoding, shape[0] * shape[1], shape.join());
      writeFileSync(path, Buffer.concat([Buffer.alloc(offset), content]));
      const file = openSync(path, "r");
      files.push(file);
      const unchanging = { descriptor: file, requireUnchanged: () => undefined };
      return { kind: "stored", shape, encoding, file: unchanging, offset, head };
    },
    dispose() {
      files.forEach((file) => closeSync(file));
      rmSync(folder, { recursive: true });
    },
  };
}
