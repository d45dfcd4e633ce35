import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { isRecord } from "../../system/is-record.ts";
import { labelOf, numberOf } from "../run-files.ts";

/** How far one arm of a run is. */
export interface ArmProgress {
  readonly name: string;
  readonly step: number;
  /** Null where the log has none. */
  readonly loss: number | null;
  readonly tokensPerSecond: number | null;
}

/** What a reader of a run is told while it goes on. */
export interface RunProgress {
  /** Changes with each page that is written; null while there is none. */
  readonly page: string | null;
  readonly arms: readonly ArmProgress[];
}

const mostArms = 100;
const tail = 1 << 16;

/** How far a run is, from the ends of its logs. Whatever is not there, or not whole yet, is left out. */
export function progressOf(folder: string): RunProgress {
  const page = statSync(join(folder, "report.html"), { throwIfNoEntry: false });
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const arms = [folder, ...inner.slice(0, mostArms).map(({ name }) => join(folder, name))];
  return {
    page: page?.isFile() === true ? `${page.mtimeMs}-${page.size}` : null,
    arms: arms.flatMap((path) => armProgress(path, path === folder)),
  };
}

function armProgress(path: string, main: boolean): ArmProgress[] {
  const last = lastLine(join(path, "metrics.jsonl"));
  if (last === undefined) return [];
  const step = numberOf(last["step"]);
  if (!Number.isFinite(step)) return [];
  const timing = lastLine(join(path, "timing.jsonl")) ?? {};
  const speed = Object.entries(timing).find(([key]) => key.endsWith("okensPerSecond"))?.[1];
  return [
    {
      name: labelOf(main ? "main arm" : basename(path), 40)!,
      step,
      loss: finite(last["loss"]),
      tokensPerSecond: finite(speed),
    },
  ];
}

const finite = (value: unknown): number | null => (Number.isFinite(numberOf(value)) ? numberOf(value) : null);

/** The last whole line of a log; undefined where there is none yet. */
function lastLine(path: string): Record<string, unknown> | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, tail));
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.toString("utf8", 0, read).split("\n");
    const value: unknown = JSON.parse(lines.at(-2) ?? "");
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
