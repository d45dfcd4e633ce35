import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { cdpoRecipe } from "../../../src/recipes/cdpo/recipe.ts";
import { perform } from "../../../src/recipes/kit/run-from-command-line.ts";
import { openRunFolder } from "../../../src/training/run-folder.ts";
import { userError } from "../../user-error.ts";

let base: string;
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-cdpo-run-"));
  for (const name of ["model", "rows.jsonl"]) writeFileSync(join(base, name), "");
});
afterAll(() => rmSync(base, { recursive: true }));

/** A run folder in which an earlier run has left another folder. */
function earlierRun(left: string): string {
  const output = join(base, `with-${left}`);
  openRunFolder(output, "new").close();
  mkdirSync(join(output, left));
  return output;
}

/** Begins a run there, which ends at the first look at model and data. */
function begin(output: string, mode: "new" | "resume"): Promise<unknown> {
  const file = join(base, "run.yaml");
  writeFileSync(file, `model: model\ndata: {train: rows.jsonl, validation: rows.jsonl}\noutput: ${output}\n`);
  const { config, resolvedYaml } = loadConfig(cdpoRecipe.config, file);
  const reporter = { note: () => undefined, working: () => undefined, step: () => undefined };
  return perform(cdpoRecipe, () => Promise.resolve(), {
    ...{ config, resolvedYaml, mode, allowChanges: false, command: "npx tsx trainers/cdpo.ts" },
    inputs: () => Promise.reject(new Error("looked at model and data")),
    reporterOf: () => reporter,
    interrupted: () => false,
  });
}

describe("a cDPO run", () => {
  test.each(["checkpoints", "model", "gates", "trajectories", "reward-model"])(
    "does not begin in the folder of another recipe's run, which has %s, and leaves it as it is",
    async (left) => {
      const output = earlierRun(left);
      for (const mode of ["new", "resume"] as const)
        await expect(begin(output, mode)).rejects.toThrow(
          userError("foreign-files", new RegExp(`^${output}: .*\\b${left}\\b`)),
        );
      expect(existsSync(join(output, left))).toBe(true);
    },
  );

  test("goes on in the folder of one of its own", async () => {
    await expect(begin(earlierRun("stages"), "new")).rejects.toThrow("looked at model and data");
  });
});
