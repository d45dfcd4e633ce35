import { formatNumber } from "./format.ts";
import { type JsonObject, numberOf } from "./run-files.ts";
import { isRecord } from "../system/is-record.ts";

const kinds = ["worst", "best", "changed", "listed"] as const;

/** How the rows of a file of pictured rows were chosen, where they are not the first ones: among how many. */
export interface ChosenRows {
  readonly rows: (typeof kinds)[number];
  readonly among?: number;
}

export function readChosen(value: unknown): ChosenRows | undefined {
  if (!isRecord(value)) return undefined;
  const rows = kinds.find((kind) => kind === value["rows"]);
  const among = numberOf(value["among"]);
  return rows && { rows, ...(Number.isFinite(among) && { among }) };
}

/**
 * How rows were chosen, as a sentence; undefined where they are the first ones.
 * @param all what they were chosen among, given its number: `the first 128 rows that are trained`
 * @param loss what is high or low: `loss per response token`
 */
export function chosenText(
  chosen: ChosenRows | undefined,
  { all, loss }: { all(count: string): string; loss: string },
): string | undefined {
  if (chosen === undefined) return undefined;
  if (chosen.rows === "listed") return "They are those that the configuration names.";
  const of = `Of ${all(chosen.among === undefined ? "" : formatNumber(chosen.among))}`;
  if (chosen.rows === "changed")
    return `${of} these are those whose ${loss} has changed most, the largest change first.`;
  const end = chosen.rows === "worst" ? "highest" : "lowest";
  return `${of} these have the ${end} ${loss}, the ${end} first.`;
}

/** The same behind a caption. */
export function lossBehind(facts: JsonObject): string {
  const text = lossText(facts);
  return text === undefined ? "" : `, ${text}`;
}

/** The loss by which a row was chosen, in words; undefined where there is none. */
export function lossText(facts: JsonObject): string | undefined {
  const [loss, before] = [numberOf(facts["loss"]), numberOf(facts["lossBefore"])];
  if (!Number.isFinite(loss)) return undefined;
  const was = Number.isFinite(before) ? `, ${formatNumber(before, 3)} before training` : "";
  return `loss ${formatNumber(loss, 3)} nats per token${was}`;
}
