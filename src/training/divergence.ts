import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenBatch } from "../contract/index.ts";
import { remove } from "../system/files-in-use.ts";
import { isRecord } from "../system/is-record.ts";
import type { RunFolder } from "./run-folder.ts";

/** What is done where a training diverges. */
export type OnDivergence = "warn" | "stop" | "rollback";

/** What a watch found of a training that diverges. */
export interface Divergence {
  /** In a sentence. */
  readonly said: string;
  /** The first step that shows it: the weights before it are where it began. */
  readonly since: number;
}

/** What a watch says of a step: a sentence to be kept, or that the training diverges. */
export type Warning = string | Divergence;

/** A warning in words. */
export function saying(warning: Warning): string {
  return typeof warning === "string" ? warning : warning.said;
}

/**
 * Ends the work on a run that went back to a checkpoint and has changed what follows it: opened again to be resumed, it
 * goes on from there.
 */
export class RolledBack extends Error {
  override readonly name = "RolledBack";
}

/** What was done about a divergence, and what was found, in the run folder. */
export interface DivergenceRecord extends Divergence {
  readonly action: "skip" | "stop" | "rollback";
  /** The step under way. */
  readonly step: number;
  /** Of a rollback, the step of the checkpoint that it went back to. */
  readonly to?: number;
  /** What else was found: the tensor, the row and token. */
  readonly found?: object;
  /** The step's micro-batches. */
  readonly batches: readonly BatchText[];
}

/** A micro-batch as a person can read it. */
export interface BatchText {
  readonly width: number;
  readonly rows: readonly object[];
}

const folderName = "divergence";

/**
 * Writes what a person needs to see why a training diverged, `divergence/step-N.json`, of a rollback
 * `divergence/rollback-step-N.json`; a row of the batch on a line.
 */
export function writeDivergence(run: RunFolder, { batches, ...record }: DivergenceRecord): void {
  const name = `${record.action === "rollback" ? "rollback-" : ""}step-${record.step}.json`;
  const head = JSON.stringify(record, plainNumber, 2).slice(0, -2);
  const texts = batches.map(({ width, rows }) => {
    const lines = rows.map((row) => `      ${JSON.stringify(row)}`).join(",\n");
    return `    { "width": ${width}, "rows": [\n${lines}\n    ] }`;
  });
  run.writeFile(join(folderName, name), `${head},\n  "batches": [\n${texts.join(",\n")}\n  ]\n}\n`);
}

/** JSON has no such numbers. */
function plainNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** The divergences that a run has gone on after, in the order of their steps, as sentences. */
export function divergenceNotes(run: RunFolder): string[] {
  return recordsOf(run)
    .filter(({ action }) => action !== "stop")
    .map(({ said }) => said);
}

/**
 * Forgets the divergences of steps that a run makes again.
 * @param rolledBack whether its last rollback is among what it was continued from
 */
export function forgetDivergences(run: RunFolder, { step, rolledBack }: { step: number; rolledBack: boolean }): void {
  for (const record of recordsOf(run))
    if (record.step > step && !(rolledBack && record.action === "rollback")) remove(record.path);
}

type Stored = Pick<DivergenceRecord, "step" | "said" | "action"> & { path: string };

function recordsOf(run: RunFolder): Stored[] {
  const folder = join(run.path, folderName);
  if (!existsSync(folder)) return [];
  const records = readdirSync(folder).flatMap((name) => storedRecord(join(folder, name)) ?? []);
  return records.sort((a, b) => a.step - b.step);
}

function storedRecord(path: string): Stored | undefined {
  const step = /step-(\d{1,15})\.json$/.exec(path)?.[1];
  if (step === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    const { said, action } = isRecord(value) ? value : {};
    if (typeof said === "string" && (action === "skip" || action === "stop" || action === "rollback"))
      return { step: Number(step), said, action, path };
  } catch {
    // of no use, and nothing depends on it
  }
  return undefined;
}

/** The rows of a micro-batch as a person can read them. */
export function batchText(batch: TokenBatch, decode: (ids: readonly number[]) => string): BatchText {
  const rows = Array.from({ length: batch.rows }, (_, row) => {
    const start = row * batch.width;
    const [ids, response] = [batch.ids, batch.response].map((values) =>
      Array.from(values.subarray(start, start + batch.lengths[row]!)),
    ) as [number[], number[]];
    return { row: batch.rowIds[row], ids, response, text: textOf(ids, decode) };
  });
  return { width: batch.width, rows };
}

/** Ids that no token has must not hide what is looked for. */
function textOf(ids: readonly number[], decode: (ids: readonly number[]) => string): string {
  try {
    return decode(ids);
  } catch {
    return "";
  }
}
