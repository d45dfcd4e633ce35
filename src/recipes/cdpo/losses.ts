import { join } from "node:path";
import { writeArrow } from "../../data/arrow/write.ts";
import type { ColumnType } from "../../data/arrow/columns.ts";
import type { Model } from "../../model/model.ts";
import { heldOutLosses, lossesOf, type HeldOutLosses } from "../kit/held-out-losses.ts";
import { stoppable } from "../kit/reporter.ts";
import { readRows } from "../kit/responses/index.ts";
import { withModel } from "./evaluate.ts";
import { digestOfStart, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** One row per held-out problem: `-log p` of its whole reference response in nats, and that response's tokens. */
const lossColumns = { question: "float64", nll: "float64", tokens: "float64" } as const satisfies Record<
  string,
  ColumnType
>;

/** What an arm's model, or the starting model, gives the reference responses of the held-out problems. */
export function lossStage(
  work: CdpoWork,
  name: string,
  aligned: StageResult<string> | undefined,
): Promise<StageResult<HeldOutLosses>> {
  const { config, inputs, held, vocabularySize } = work;
  const tokens = inputs.validation!; // without held-out rows no run is opened
  const output = join("stages", `losses.${name}.arrow`);
  const measure = (model: Model): Promise<HeldOutLosses> => {
    const reporter = stoppable(work.reporterOf(`evaluate ${name}`), work.interrupted);
    const onProgress = (done: number, total: number) => reporter.working("held-out losses", done, total);
    return heldOutLosses(model, tokens, { rows: held.length, batchSize: config.evaluation.batchSize, onProgress });
  };
  return work.stage({
    name: `losses.${name}`,
    needs: aligned ? [aligned] : [],
    inputs: {
      model: inputs.identity["model"],
      ...(aligned === undefined && digestOfStart(config.align.adapter)),
      ...{ data: tokens.fingerprint, rows: held.length },
    },
    output,
    read(path) {
      const rows = readRows(path, { needed: Object.keys(lossColumns), vocabularySize }, (row) => ({
        question: row.count("question"),
        sum: Number(row.value("nll")),
        tokens: row.count("tokens"),
      }));
      return lossesOf(
        rows.map(({ question }) => question),
        rows,
      );
    },
    work: async () =>
      withModel(work, aligned && (await aligned.load()), async (model) => {
        const { rowIds, rowLosses, rowTokens } = await measure(model);
        const rows = rowIds.map((question, i) => {
          return { question, nll: rowLosses[i]! * rowTokens[i]!, tokens: rowTokens[i]! };
        });
        writeArrow(join(work.run.path, output), lossColumns, rows);
      }),
  });
}
