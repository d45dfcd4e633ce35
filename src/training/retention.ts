import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { remove } from "../system/files-in-use.ts";
import { checkpointPath, checkpointSteps } from "./checkpoint-files.ts";

/** Which checkpoints stay. */
export interface Retention {
  /** So many of the newest, at least 1. */
  readonly last: number;
  /** Beside them so many of the best. Default 0. */
  readonly best?: number;
  /** Bytes that all may take together; the newest stays in any case. Default: no limit. */
  readonly budget?: number;
  /** Whether the very best stays in any case, too. */
  readonly holdBest?: boolean;
}

/** A checkpoint on the disk. */
export interface StoredCheckpoint {
  readonly step: number;
  readonly bytes: number;
  /** How good its model is, larger is better; undefined where it was not measured. */
  readonly score?: number | undefined;
}

/**
 * The steps of the checkpoints that go: neither among the newest nor among the best, of equally good ones the later. Where
 * the others take more than the budget, the oldest that is not among the best goes first, then the worst.
 */
export function surplusCheckpoints(
  stored: readonly StoredCheckpoint[],
  { last, best = 0, budget = Infinity, holdBest = false }: Retention,
): number[] {
  const newestFirst = stored.toSorted((a, b) => b.step - a.step);
  const measured = newestFirst.filter(({ score }) => Number.isFinite(score));
  const ranked = measured.toSorted((a, b) => b.score! - a.score!).slice(0, best);
  const newest = newestFirst.slice(0, last);
  const kept = [...newest.slice(0, 1), ...ranked, ...newest.slice(1)]; // what is to go last stands first
  const held = new Set(holdBest ? [newest[0], ranked[0]] : [newest[0]]);
  const chosen = new Set<StoredCheckpoint>();
  let bytes = 0;
  for (const checkpoint of kept) {
    if (chosen.has(checkpoint)) continue;
    if (!held.has(checkpoint) && bytes + checkpoint.bytes > budget) break;
    chosen.add(checkpoint);
    bytes += checkpoint.bytes;
  }
  return newestFirst.filter((checkpoint) => !chosen.has(checkpoint)).map(({ step }) => step);
}

/**
 * Deletes the checkpoints that do not stay.
 * @param scoreOf how good the model of a step is, where that was measured
 */
export function pruneCheckpoints(
  folder: string,
  retention: Retention,
  scoreOf: (step: number) => number | undefined = () => undefined,
): void {
  const measuresBytes = Number.isFinite(retention.budget);
  const stored = checkpointSteps(folder).map((step) => ({
    step,
    bytes: measuresBytes ? bytesBelow(checkpointPath(folder, step)) : 0,
    score: scoreOf(step),
  }));
  for (const step of surplusCheckpoints(stored, retention)) remove(checkpointPath(folder, step));
}

function bytesBelow(folder: string): number {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
