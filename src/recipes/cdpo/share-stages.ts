import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isRunFolder, openRunFolder } from "../../training/run-folder.ts";
import { makeFolder } from "../../system/make-folder.ts";
import type { StageSharing } from "../kit/recipe.ts";
import { finishedStage } from "./stages.ts";

/**
 * Where each stage that can be shared leaves its result, below the run folder; `contrast` is both of its models, `start`
 * what the starting model answers, its losses, and what the user's own metric makes of the answers.
 */
const outputs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sample: { sample: "stages/sample.arrow" },
  judge: { judge: "stages/judge.arrow" },
  contrast: {
    "contrast-models.positive": "stages/contrast-models/positive",
    "contrast-models.negative": "stages/contrast-models/negative",
  },
  pairs: { pairs: "stages/pairs.arrow" },
  score: { score: "stages/score.arrow" },
  start: {
    "evaluate.base": "stages/evaluate.base.arrow",
    "losses.base": "stages/losses.base.arrow",
    "preferences.base": "stages/preferences.base.arrow",
    "metric.base": "stages/metric.base.numbers.json",
  },
};

/** How runs of cDPO share stages: by copies, each with the manifest that says what decided it. */
export const cdpoStages: StageSharing = {
  names: Object.keys(outputs),
  copy(from, to, names) {
    const wanted = names === "all" ? Object.keys(outputs) : names;
    const results = Object.assign(
      {},
      ...wanted.map((name) => outputs[name]),
      names === "all" && alignments(from),
    ) as Record<string, string>;
    const found = Object.entries(results).filter(
      ([stage, output]) =>
        finishedStage(from, stage) && existsSync(join(from, output)) && !existsSync(join(to, manifestOf(stage))),
    );
    if (found.length === 0) return;
    if (!isRunFolder(to)) openRunFolder(to, "new").close();
    makeFolder(join(to, "stages"));
    for (const [stage, output] of found) {
      cpSync(join(from, output), join(to, output), { recursive: true });
      cpSync(join(from, manifestOf(stage)), join(to, manifestOf(stage))); // last: without it a copy that was cut short counts for nothing
    }
  },
};

const manifestOf = (stage: string): string => join("stages", `${stage}.json`);

/** The trained models of a run, by stage: each is the folder of its arm. */
function alignments(run: string): Record<string, string> {
  const manifests = existsSync(join(run, "stages")) ? readdirSync(join(run, "stages")) : [];
  const arms = manifests.flatMap((name) => /^align\.(.+)\.json$/.exec(name)?.[1] ?? []);
  return Object.fromEntries(arms.map((arm) => [`align.${arm}`, arm]));
}
