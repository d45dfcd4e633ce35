import { describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/model/index.ts";
import { openFile } from "../../src/model/weights/file.ts";
import { readSafetensorsHeader } from "../../src/model/weights/safetensors.ts";
import { adapterFixture, firstText, peftLogits } from "../model/adapters/adapters.ts";
import { distance, logitsOf } from "../model/reference.ts";
import { temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const merge = (adapter: string, ...argv: string[]) =>
  tokensift("merge", "--engine", "cpu", "--threads", "1", "--model", tied, "--adapter", adapter, ...argv);

describe("tokensift merge", () => {
  test.each(["tied", "saved", "tied-embeddings"])(
    "writes a model that computes as with the adapter %s",
    async (name) => {
      const out = folder.path(name);
      const { code, out: said } = await merge(adapterFixture(name), "--out", out);
      expect(code).toBe(0);
      expect(said).toContain("merged");
      const merged = await loadModel(out);
      const expected = peftLogits(name).flat();
      const logits = (await logitsOf(merged, firstText("tied"))).flat();
      expect(distance(logits, expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-5);
      merged.dispose();
      expect(readFileSync(join(out, "README.md"), "utf8")).toContain("tokensift merge");
    },
  );

  test("writes another format, rounded once", async () => {
    const out = folder.path("rounded");
    expect((await merge(adapterFixture("tied"), "--out", out, "--dtype", "bfloat16")).code).toBe(0);
    const file = await openFile(join(out, "model.safetensors"));
    const tensors = await readSafetensorsHeader(file);
    await file.close();
    expect(new Set([...tensors.values()].map(({ encoding }) => encoding.name))).toEqual(new Set(["BF16"]));
  });

  test("refuses an adapter of another model, a format that is none, and leaves no folder", async () => {
    const out = folder.path("refused");
    for (const [adapter, argv, message] of [
      [adapterFixture("dora"), [], /lora_A|lora_B|lora_magnitude/],
      [adapterFixture("embeddings"), [], /lm_head|embed_tokens|q_proj/],
      [folder.path("nothing"), [], /nothing/],
      [adapterFixture("tied"), ["--dtype", "int8"], /--dtype/],
    ] as const) {
      const { code, err } = await merge(adapter, "--out", out, ...argv);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    }
    const { code, err } = await tokensift("merge", "--model", tied, "--out", out);
    expect([code, err]).toEqual([2, expect.stringContaining("--adapter")]);
    expect(existsSync(out)).toBe(false);
  });
});
