import { diffConfigs } from "../../config/diff.ts";
import { readArm } from "../../report/read-arm.ts";
import { numberOf, runLines } from "../../report/run-files.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { armFolders } from "../../training/run-folder.ts";
import { configIn, resultsIn } from "../cell-state.ts";
import { type Measure, measuresOf } from "../collect/measures.ts";
import type { ArmOutcomes, Outcome } from "../collect/read-cells.ts";

/** Keys that do not make two runs different ones. */
const free = [
  ...["output", "save", "report", "engine", "threads", "matmul", "compare"],
  ...["data.cache", "training.seed", "training.saveEvery", "training.keepCheckpoints", "training.evaluateEvery"],
  ...["evaluation.onTheWay", "align.training.evaluateEvery"],
  ...["training.keepBest", "training.bestMetric", "training.bestMode", "training.onDivergence"],
];

interface FoundArm {
  readonly name: string;
  readonly config: object;
  readonly seed: number;
  readonly outcome: Omit<Outcome, "cell">;
  readonly folder: string;
}

/**
 * The arms of runs, those of one name and the same settings together, as seeds of one. Where settings differ, the name says
 * in what.
 * @throws UserError for a folder without a run, for one without results, and for two of the same settings and seed
 */
export function readRuns(folders: readonly string[]): ArmOutcomes[] {
  const groups: { name: string; base: object; found: FoundArm[] }[] = [];
  for (const arm of folders.flatMap(armsIn)) {
    const group = groups.find(({ name, base }) => name === arm.name && changes(base, arm.config).length === 0);
    const twin = group?.found.find(({ seed }) => seed === arm.seed);
    if (twin)
      throw new UserError("conflicting-options", `has the same settings and seed (${arm.seed}) as ${twin.folder}`, {
        where: arm.folder,
        fix: "Give each run once; seeds of one run differ in training.seed.",
      });
    if (group) group.found.push(arm);
    else groups.push({ name: arm.name, base: arm.config, found: [arm] });
  }
  return groups.map(({ name, base, found }) => {
    const first = groups.find((other) => other.name === name)!;
    const label = [name, ...changes(first.base, base).slice(0, 3)].join(", ");
    const arm = { axis: "runs", name: label, settings: {}, control: false };
    const outcomes = found
      .toSorted((a, b) => a.seed - b.seed)
      .map(({ outcome, folder, seed }, index) => ({ ...outcome, cell: { index, name: label, folder, arm, seed } }));
    return { arm, outcomes, missing: 0 };
  });
}

/** What a configuration says otherwise than another: `ratio 0.6`. */
function changes(base: object, config: object): string[] {
  return diffConfigs(base, config)
    .filter(({ key }) => !free.some((each) => key === each || key.startsWith(`${each}.`)))
    .map(({ key, after }) => `${key.split(".").at(-1)!} ${after === undefined ? "none" : JSON.stringify(after)}`);
}

function armsIn(folder: string): FoundArm[] {
  const folders = armFolders(folder);
  const config = configIn(folder) ?? {};
  const whole = measuresOf(folder);
  const first = (resultsIn(folder) ?? []).map(({ name }) => name);
  const arms = folders.flatMap((path): FoundArm[] => {
    if (runLines(path, "metrics.jsonl").length === 0) return [];
    const { name } = readArm(path, {});
    const own = path === folder ? config : (configIn(path) ?? config);
    const training = own["training"] ?? config["training"];
    const { measures, cost } = path === folder ? whole : measuresOf(path);
    const found = new Map<string, Measure>();
    const add = (key: string, measure: Measure): void => void (found.has(key) || found.set(key, measure));
    for (const [key, measure] of measures)
      if (key.startsWith("evaluation.")) add(key.slice("evaluation.".length), measure);
    for (const [key, measure] of whole.measures) {
      if (key.endsWith(`@${name}`)) add(key.slice(0, -name.length - 1), measure);
      else if (!key.includes("@") && !key.includes(".") && first[0] === name) add(key, measure);
    }
    for (const [key, measure] of measures) if (key.startsWith("noise.")) add(key, measure);
    const seed = numberOf(isRecord(training) ? training["seed"] : undefined);
    return [{ name, config: own, seed, outcome: { measures: found, cost }, folder: path }];
  });
  if (arms.length === 0)
    throw new UserError("no-rows", "the run has no step yet: its metrics.jsonl is empty", {
      where: folder,
      fix: "Compare it after its first steps, or continue it with --resume.",
    });
  if (arms.every(({ outcome }) => outcome.measures.size === 0))
    throw new UserError("no-rows", "the run has measured nothing on held-out rows", {
      where: folder,
      fix: "Give it data.validation.",
    });
  return arms;
}
