import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenRule } from "../../contract/index.ts";
import { rowsOfStep } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { Model } from "../../model/model.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import type { RunLearner } from "../../training/open-learner.ts";
import type { ArmOpening } from "../kit/arms.ts";
import {
  chosen,
  lossesOfRows,
  listedPlaces,
  lossFacts,
  ranked,
  rowChoice,
  type RowLoss,
} from "../kit/pictured-rows.ts";
import { orderOf, stepsOver } from "../kit/row-order.ts";
import { weighRows, type WeighedRow } from "../kit/token-rows.ts";
import { type FinetuneConfig, usualRows } from "./config-schema.ts";

const usualAmong = 128;
const startFile = "losses-before.json";

/** The first so many rows that the run trains, in their order. */
function firstRows(config: FinetuneConfig, tokens: TokenizedDataset, count: number): number[] {
  const [order, steps] = [orderOf(config), stepsOver(config, tokens)];
  const rows = new Set<number>();
  for (let step = 0; step < steps && rows.size < Math.min(count, tokens.length); step++)
    for (const row of rowsOfStep(tokens, order, step)) rows.add(row);
  return [...rows].slice(0, count);
}

/** The rows that are chosen among by their losses. */
function candidates(config: FinetuneConfig, tokens: TokenizedDataset): number[] {
  const { among = usualAmong } = typeof config.report === "string" ? {} : config.report;
  return firstRows(config, tokens, among);
}

/**
 * Before the first step, writes the losses that rows are compared with at the end, where those that change most are
 * pictured. A run that goes on must have them.
 * @throws UserError where it has not
 */
export async function startPictures(opening: ArmOpening<FinetuneConfig>, { state }: RunLearner): Promise<void> {
  const { config, inputs, run } = opening;
  const choice = rowChoice(config.report, usualRows);
  if ("listed" in choice || choice.kind !== "changed") return;
  if (state.step === 0) {
    const rows = candidates(config, inputs.tokens);
    const losses = await measured(opening, state.model, rows);
    const rowIds = rows.map((row) => inputs.tokens.rowIds[row]!);
    run.writeFile(startFile, `${JSON.stringify({ rowIds, losses })}\n`);
  } else startLosses(opening);
  run.records.add(startFile); // a checkpoint goes with it
}

function measured(
  { config, inputs, reporter }: ArmOpening<FinetuneConfig>,
  model: Model,
  rows: readonly number[],
): Promise<number[]> {
  const onProgress = (done: number, total: number) => reporter.working("losses of rows to picture", done, total);
  return lossesOfRows(model, inputs.tokens, rows, { batchSize: config.training.microBatchSize!, onProgress });
}

/** The losses before the first step by their rows, as places in the data. */
function startLosses({ inputs, run }: ArmOpening<FinetuneConfig>): Map<number, number> {
  const path = join(run.path, startFile);
  const found = parsed(path);
  const [rowIds, losses] = [found?.["rowIds"], found?.["losses"]];
  const places = new Map(Array.from(inputs.tokens.rowIds, (rowId, place) => [rowId, place]));
  const rows = Array.isArray(rowIds) ? rowIds.flatMap((rowId: number) => places.get(rowId) ?? []) : [];
  const isWhole = Array.isArray(losses) && losses.length > 0 && losses.length === rows.length;
  if (!isWhole)
    throw new UserError("run-changed", "the run has kept no losses of rows from before its first step", {
      where: path,
      fix: "Set report.rows to first, worst, best or a list of rows, or start again with --overwrite.",
    });
  return new Map(rows.map((row, i) => [row, Number(losses[i] ?? NaN)])); // a log writes NaN as null
}

function parsed(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The rows to picture as places in the data, each with the loss by which it was chosen. */
async function rowsToPicture(opening: ArmOpening<FinetuneConfig>, model: Model) {
  const { config, inputs } = opening;
  const choice = rowChoice(config.report, usualRows);
  if ("listed" in choice) return { choice, among: 0, rows: listedPlaces(config.report, inputs.tokens, "data.train") };
  const { kind, count } = choice;
  if (kind === "first") return { choice, among: 0, rows: firstRows(config, inputs.tokens, count) };
  const before = kind === "changed" ? startLosses(opening) : undefined;
  const places = before ? [...before.keys()] : candidates(config, inputs.tokens);
  const now = await measured(opening, model, places);
  const losses = places.map((place, i): RowLoss => ({ loss: now[i]!, before: before?.get(place) }));
  const best = ranked(kind, losses, count);
  return { choice, among: places.length, rows: best.map((i) => places[i]!), losses: best.map((i) => losses[i]!) };
}

/** Writes the rows as the arm's rule weighs them under the model as it is. */
export async function writePictures(
  opening: ArmOpening<FinetuneConfig>,
  { rule, learner: { state } }: { rule: TokenRule; learner: RunLearner },
): Promise<void> {
  const { config, inputs, run } = opening;
  const { seed } = config.training;
  const { model, step, samplesSeen } = state;
  const { choice, among, rows, losses } = await rowsToPicture(opening, model);
  const weighed = await weighRows(model, inputs.tokens, rows, {
    ...{ rule, seed, sources: state.sources, step, samplesSeen },
  });
  const pictured: WeighedRow[] = weighed.map((row, i) => ({ ...row, ...(losses && lossFacts(losses[i]!)) }));
  const about = { method: rule.name, step, samplesSeen, seed, ...chosen(choice, among) };
  run.writeFile("tokens.json", `${JSON.stringify({ ...about, rows: pictured })}\n`);
}
