import { expect, test } from "@jest/globals";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cdpoStages } from "../../../src/recipes/cdpo/share-stages.ts";
import { isRunFolder } from "../../../src/training/run-folder.ts";
import { temporaryFolder } from "../../data/folder.ts";

const folder = temporaryFolder();
let made = 0;

/** A run folder with stages: each a manifest, of a finished one with a digest, and its output. */
function runWith(stages: Record<string, { output: string; finished: boolean }>): string {
  const run = folder.path(`run-${made++}`);
  const write = (name: string, content: string): void => {
    mkdirSync(dirname(join(run, name)), { recursive: true });
    writeFileSync(join(run, name), content);
  };
  for (const [name, { output, finished }] of Object.entries(stages)) {
    const manifest = {
      format: "tokensift stage",
      version: 1,
      fingerprint: "f",
      inputs: {},
      ...(finished && { digest: "d" }),
    };
    write(`stages/${name}.json`, JSON.stringify(manifest));
    write(output, name);
  }
  return run;
}

const finishedRun = (): string =>
  runWith({
    sample: { output: "stages/sample.arrow", finished: true },
    judge: { output: "stages/judge.arrow", finished: false },
    "contrast-models.positive": { output: "stages/contrast-models/positive/adapter/a.txt", finished: true },
    "align.cdpo": { output: "cdpo/adapter/a.txt", finished: true },
    "evaluate.cdpo": { output: "stages/evaluate.cdpo.arrow", finished: true },
  });

test("a run gets the finished stages that are named, with their manifests, and is a run folder by then", () => {
  const to = folder.path("to-some");
  cdpoStages.copy(finishedRun(), to, ["sample", "judge", "contrast"]);
  expect(isRunFolder(to)).toBe(true);
  const there = (name: string): boolean => existsSync(join(to, name));
  expect(["stages/sample.arrow", "stages/sample.json"].map(there)).toEqual([true, true]);
  expect(there("stages/judge.json")).toBe(false); // not finished
  expect(readFileSync(join(to, "stages/contrast-models/positive/adapter/a.txt"), "utf8")).toBe(
    "contrast-models.positive",
  );
  expect(["stages/align.cdpo.json", "cdpo"].map(there)).toEqual([false, false]);
});

test("a run that evaluates alone gets the trained models too, but no evaluation", () => {
  const to = folder.path("to-all");
  cdpoStages.copy(finishedRun(), to, "all");
  expect(readFileSync(join(to, "cdpo/adapter/a.txt"), "utf8")).toBe("align.cdpo");
  expect(existsSync(join(to, "stages/evaluate.cdpo.json"))).toBe(false);
});

test("what a run has itself is not replaced, and one without any finished stage leaves nothing", () => {
  const own = runWith({ sample: { output: "stages/sample.arrow", finished: false } });
  writeFileSync(join(own, "run.json"), '{"format":"tokensift run","version":1}');
  cdpoStages.copy(finishedRun(), own, ["sample"]);
  expect(readFileSync(join(own, "stages/sample.json"), "utf8")).not.toContain("digest");
  const to = folder.path("to-none");
  cdpoStages.copy(runWith({ judge: { output: "stages/judge.arrow", finished: false } }), to, ["judge"]);
  expect(existsSync(to)).toBe(false);
});
