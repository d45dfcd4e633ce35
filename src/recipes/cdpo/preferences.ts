import { join } from "node:path";
import type { ColumnType } from "../../data/arrow/columns.ts";
import { writeArrow } from "../../data/arrow/write.ts";
import type { Model } from "../../model/model.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { readNumbers } from "../../training/read-numbers.ts";
import type { TokenizedPair } from "../kit/pair-tokens.ts";
import { type Reporter, stoppable } from "../kit/reporter.ts";
import { readRows, responseBatch, splitResponses } from "../kit/responses/index.ts";
import { withModel } from "./evaluate.ts";
import { digestOfStart, hash, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** What a model gives one held-out pair: log-probabilities of whole answers, nats, and the chosen one's tokens. */
export interface PairScore {
  readonly question: number;
  readonly chosen: number;
  readonly rejected: number;
  readonly tokens: number;
}

const scoreColumns = {
  question: "float64",
  chosen: "float64",
  rejected: "float64",
  tokens: "float64",
} as const satisfies Record<keyof PairScore, ColumnType>;

/** A pass needs more memory for a row than an answer does for one of its tokens. */
const mostRowsAtOnce = 16;

/** Scores of the held-out pairs under an arm's model, or under the starting model. */
export function preferenceStage(
  work: CdpoWork,
  name: string,
  held: readonly TokenizedPair[],
  aligned: StageResult<string> | undefined,
): Promise<StageResult<PairScore[]>> {
  const { config, inputs, vocabularySize } = work;
  const output = join("stages", `preferences.${name}.arrow`);
  return work.stage({
    name: `preferences.${name}`,
    needs: aligned ? [aligned] : [],
    inputs: {
      model: inputs.identity["model"],
      ...(aligned === undefined && digestOfStart(config.align.adapter)),
      pairs: hash(JSON.stringify(held)),
    },
    output,
    read: (path) =>
      readRows(path, { needed: Object.keys(scoreColumns), vocabularySize }, (row) => ({
        question: row.count("question"),
        chosen: Number(row.value("chosen")),
        rejected: Number(row.value("rejected")),
        tokens: row.count("tokens"),
      })),
    work: async () =>
      withModel(work, aligned && (await aligned.load()), async (model) => {
        const reporter = stoppable(work.reporterOf(`evaluate ${name}`), work.interrupted);
        const scores = await scoresOf(config, held, model, reporter);
        writeArrow(
          join(work.run.path, output),
          scoreColumns,
          scores.map((score) => ({ ...score })),
        );
      }),
  });
}

/** Log-probabilities of both answers of each pair under a model. */
export async function scoresOf(
  config: Pick<CdpoWork["config"], "evaluation">,
  held: readonly TokenizedPair[],
  model: Model,
  reporter: Pick<Reporter, "working">,
): Promise<PairScore[]> {
  const texts = held.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const sums = new Float64Array(texts.length);
  let done = 0;
  for (const rows of splitResponses(texts, Math.min(mostRowsAtOnce, config.evaluation.batchSize))) {
    reporter.working("scoring held-out pairs", done, texts.length);
    const batch = responseBatch(rows.map((row) => texts[row]!));
    const { logProb } = await readNumbers(model, batch, ["logProb"]);
    batch.response.forEach((mark, i) => {
      if (mark === 1 && i % batch.width > 0) sums[rows[Math.floor(i / batch.width)]!]! += logProb[i]!;
    });
    done += rows.length;
    await letEventsIn();
  }
  reporter.working("scoring held-out pairs", texts.length, texts.length);
  return held.map(({ rowId, chosen }, k) => ({
    ...{ question: rowId, chosen: sums[2 * k]!, rejected: sums[2 * k + 1]! },
    tokens: chosen.ids.length - Number(chosen.prompt.length === 0),
  }));
}
