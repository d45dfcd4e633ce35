import { keyName, shown } from "./problem.ts";
import type { KeyPath } from "./problem.ts";
import { isRecord } from "../system/is-record.ts";

/** A key that two configurations give different values. `undefined`: it is not there. */
export interface ConfigChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Every key whose value differs, lists compared as wholes. */
export function diffConfigs(before: unknown, after: unknown, path: KeyPath = []): ConfigChange[] {
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diffConfigs(before[key], after[key], [...path, key]));
  }
  return same(before, after) ? [] : [{ key: keyName(path), before, after }];
}

/** Keys that change nothing about the steps to come. */
const free = [
  "output",
  "compare",
  "save",
  "report",
  "data.cache",
  ...["url", "concurrency", "timeout", "retryPause", "keyVariable", "command"].map((key) => `sampling.server.${key}`),
  "training.saveEvery",
  "training.keepCheckpoints",
  "training.keepBest",
  "training.bestMetric",
  "training.bestMode",
  "training.checkpointBudget",
  "training.evaluateEvery",
  "training.onDivergence",
  "evaluation.onTheWay",
  ...["evaluateEvery", "keepBest", "bestMetric", "bestMode"].map((key) => `align.training.${key}`),
];

/** Of those, the keys of a `training` group that decide where it ends, or which checkpoint's model is saved. */
function deciding(config: unknown, path: readonly string[]): string[] {
  const training = path.reduce<unknown>((group, key) => (isRecord(group) ? group[key] : undefined), config);
  const { earlyStopping, saveBest } = isRecord(training) ? training : {};
  const keys = [
    ...(saveBest === true ? ["saveEvery", "bestMetric", "bestMode"] : []),
    ...(saveBest === true || earlyStopping !== undefined ? ["evaluateEvery"] : []),
  ];
  return keys.map((key) => [...path, key].join("."));
}

/**
 * What keeps a run from being continued under another configuration: sentences, one for each key that would make
 * its remaining steps differ from those of an uninterrupted run. More `training.steps` or `training.epochs` are fine
 * where nothing of the steps done depends on them: under `schedule: constant` with its warm-up given in steps, and
 * without `selfEvolving`, whose parts are shares of the steps.
 */
export function resumeConflicts(before: unknown, after: unknown): string[] {
  const bound = [...deciding(after, ["training"]), ...deciding(after, ["align", "training"])];
  const isFree = (changed: string): boolean =>
    !bound.includes(changed) && free.some((key) => changed === key || changed.startsWith(`${key}.`));
  return diffConfigs(before, after)
    .filter(({ key }) => !isFree(key))
    .flatMap(({ key, before: was, after: is }) => {
      const isLength = key === "training.steps" || (key === "training.epochs" && was !== undefined && is !== undefined);
      if (!isLength) return [`${key} was ${shown(was)} and is now ${shown(is)}`];
      if (typeof was === "number" && typeof is === "number" && is < was) return [`${key} was ${was}, now only ${is}`];
      if ((after as { selfEvolving?: unknown }).selfEvolving !== undefined)
        return [
          `${key} was ${shown(was)} and is now ${shown(is)}: the parts of selfEvolving would have had other lengths`,
        ];
      const dependence = rateDependence(after);
      if (dependence === undefined) return [];
      const reason = `under ${dependence} the steps already done would have had other learning rates`;
      const longer = "only a run with `schedule: constant` and `warmupSteps` can be made longer";
      return [`${key} was ${shown(was)} and is now ${shown(is)}: ${reason} (${longer})`];
    });
}

/** The key by which learning rates depend on the number of steps; undefined where none does. */
function rateDependence(config: unknown): string | undefined {
  const { schedule, warmupRatio } =
    (config as { training?: { schedule?: unknown; warmupRatio?: unknown } }).training ?? {};
  if (schedule !== "constant") return `training.schedule ${shown(schedule)}`;
  return (warmupRatio ?? 0) === 0 ? undefined : `training.warmupRatio ${shown(warmupRatio)}`;
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => diffConfigs(item, b[index]).length === 0);
  return Object.is(a, b);
}
