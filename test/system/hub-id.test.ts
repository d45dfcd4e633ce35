import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { downloadHint } from "../../src/system/hub-id.ts";

const base = mkdtempSync(join(tmpdir(), "tokensift-hub-"));
afterAll(() => rmSync(base, { recursive: true }));

describe("a missing path of the form of an id on a hub", () => {
  test("gets the command that fetches a model", () => {
    expect(downloadHint("HuggingFaceTB/SmolLM2-135M", "model")).toContain(
      "`hf download HuggingFaceTB/SmolLM2-135M --local-dir models/SmolLM2-135M` (before huggingface_hub 0.34: " +
        "`huggingface-cli download HuggingFaceTB/SmolLM2-135M --local-dir models/SmolLM2-135M`)",
    );
    expect(downloadHint("Qwen/Qwen2.5-0.5B", "model")).toContain("models/Qwen2.5-0.5B");
  });

  test("gets the command that fetches data", () => {
    expect(downloadHint("openai/gsm8k", "data")).toContain(
      "`hf download openai/gsm8k --repo-type dataset --local-dir datasets/gsm8k`",
    );
  });

  test.each(["nowhere", "./a/b", "../a/b", "/a/b", "a/b/c", "a/rows.jsonl", "a/model.gguf", "models/smol", "a b/c"])(
    "%s is meant as a path",
    (given) => {
      expect(downloadHint(given, "model")).toBeUndefined();
    },
  );

  test("is meant as a path where its first part is a folder here", () => {
    expect(downloadHint("test/nowhere", "model", join(base, "nowhere"))).toBeUndefined();
    expect(downloadHint("test/nowhere", "model", join(base, "test/nowhere"))).toBeDefined();
  });
});
