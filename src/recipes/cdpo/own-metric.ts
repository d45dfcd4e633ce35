import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import { ownOfAnswers } from "../kit/own-metric.ts";
import type { Answers } from "../kit/responses/index.ts";
import { digestOf, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** Numbers of the user's own metric, of a model's answers; undefined without one. */
export async function metricStage(
  work: CdpoWork,
  name: string,
  answers: StageResult<Answers>,
): Promise<StageResult<OwnNumbers> | undefined> {
  const { config, held, run, tokenizer } = work;
  const { metric } = config.evaluation;
  if (metric === undefined) return undefined;
  const output = join("stages", `metric.${name}.numbers.json`);
  return work.stage({
    name: `metric.${name}`,
    needs: [answers],
    inputs: { module: digestOf(metric) },
    output,
    read: (path) => JSON.parse(readFileSync(path, "utf8")) as OwnNumbers,
    async work() {
      const numbers = await ownOfAnswers(config.evaluation, held, await answers.load(), tokenizer);
      run.writeFile(output, `${JSON.stringify(numbers)}\n`);
    },
  });
}
