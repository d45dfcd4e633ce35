import { keyName, shown } from "./problem.ts";
import type { KeyPath } from "./problem.ts";

/** A key that two configurations give different values. `undefined`: it is not there. */
export interface ConfigChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Every key whose value differs, lists compared as wholes. */
export function diffConfigs(before: unknown, after: unknown, path: KeyPath = []): ConfigChange[] {
  if (isGroup(before) && isGroup(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diffConfigs(before[key], after[key], [...path, key]));
  }
  return same(before, after) ? [] : [{ key: keyName(path), before, after }];
}

/** Keys that change nothing about the steps to come. */
const free = [
  "output",
  "compare",
  "data.cache",
  "training.saveEvery",
  "training.keepCheckpoints",
  "training.evaluateEvery",
];

/**
 * What keeps a run from being continued under another configuration: sentences, one for each key that would make
 * its remaining steps differ from those of an uninterrupted run. More `training.steps` are fine while the learning
 * rate does not depend on them.
 */
export function resumeConflicts(before: unknown, after: unknown): string[] {
  return diffConfigs(before, after)
    .filter((change) => !free.some((key) => change.key === key || change.key.startsWith(`${key}.`)))
    .flatMap(({ key, before: was, after: is }) => {
      if (key !== "training.steps") return [`${key} was ${shown(was)} and is now ${shown(is)}`];
      if (typeof was === "number" && typeof is === "number" && is < was) return [`${key} was ${was}, now only ${is}`];
      const reason = "the steps already done would have had other learning rates";
      return ratesDependOnSteps(after) ? [`${key} was ${shown(was)} and is now ${shown(is)}: ${reason}`] : [];
    });
}

function ratesDependOnSteps(config: unknown): boolean {
  const { schedule, warmupRatio } =
    (config as { training?: { schedule?: unknown; warmupRatio?: unknown } }).training ?? {};
  return schedule !== "constant" || (warmupRatio ?? 0) !== 0;
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => diffConfigs(item, b[index]).length === 0);
  return Object.is(a, b);
}
