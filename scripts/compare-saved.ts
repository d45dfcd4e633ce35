// npx tsx scripts/compare-saved.ts [MODEL]     TOKENSIFT_PYTHON: a Python that has transformers, default python3
//
// Saves a model (default models/tiny) in every number format, whole and in shards, and opens each folder with transformers:
// prints how many weights it has, how many are those of the model rounded to that format, whether the generation settings
// and the tokenizer are the author's, and the first ids that it generates. Ends with 1 if anything differs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { savedFormats } from "../src/config/groups.ts";
import { loadModel, saveModel } from "../src/model/index.ts";
import { useEngine } from "../src/tensor/engine.ts";

const source = process.argv[2] ?? "models/tiny";
const folder = mkdtempSync(join(tmpdir(), "saved-"));
try {
  await useEngine("cpu");
  const model = await loadModel(source);
  const shardSize = "500KB";
  const card = "Saved to be compared.";
  for (const dtype of savedFormats) {
    await saveModel(model, join(folder, dtype), { card, dtype });
    await saveModel(model, join(folder, `${dtype} in shards`), { card, dtype, shardSize });
  }
  const script = join(import.meta.dirname, "compare-saved.py");
  const { status } = spawnSync(process.env["TOKENSIFT_PYTHON"] ?? "python3", [script, source, folder], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
