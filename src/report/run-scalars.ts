import type { Scalar } from "./event-file.ts";
import { type JsonObject, runLines } from "./run-files.ts";

const logs = { "metrics.jsonl": "train", "evaluation.jsonl": "eval", "timing.jsonl": "time" } as const;

/**
 * Every finite number of an arm's logs, log by log in the order of its lines: `train/KEY` of `metrics.jsonl`, `eval/KEY` of
 * `evaluation.jsonl`, `time/KEY` of `timing.jsonl`, at the time at which its step ended.
 * @throws UserError for a log that is damaged
 */
export function runScalars(folder: string): Scalar[] {
  const timing = runLines(folder, "timing.jsonl").map((line) => [Number(line["step"]), secondsOf(line)] as const);
  const times = new Map(timing);
  const timeOf = (step: number): number => times.get(step) ?? timing.findLast(([at]) => at <= step)?.[1] ?? first;
  const first = timing[0]?.[1] ?? 0;
  return Object.entries(logs).flatMap(([name, group]) => {
    const told = new Set<string>(); // of a model that was measured again, whole
    return runLines(folder, name).flatMap((line) => {
      const step = Number(line["step"]);
      const isNew = (key: string): boolean => told.size < told.add(`${step} ${key}`).size;
      const numbers = Object.entries(line).filter(
        ([key, value]) => key !== "step" && Number.isFinite(value) && isNew(key),
      );
      return numbers.map(([key, value]) => ({
        tag: `${group}/${key}`,
        step,
        time: timeOf(step),
        value: value as number,
      }));
    });
  });
}

function secondsOf({ time }: JsonObject): number {
  const milliseconds = typeof time === "string" ? Date.parse(time) : NaN;
  return Number.isFinite(milliseconds) ? milliseconds / 1000 : 0;
}
