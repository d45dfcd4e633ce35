import { join } from "node:path";
import { withAdapter } from "../../model/adapters/with-adapter.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { type Model, loadModel } from "../../model/model.ts";
import { verifier } from "../../text/index.ts";
import { answerProblems, readResponses, writeResponses, type Answers } from "../kit/responses/index.ts";
import { stoppable } from "../kit/reporter.ts";
import { digestOfStart, hash, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/**
 * Answers of an arm's model, or of the starting model, greedy and sampled. All models draw by the same random numbers.
 * In the file the greedy answers come first; the numbers of the sampled ones start from 1.
 */
export function evaluateStage(
  work: CdpoWork,
  name: string,
  aligned: StageResult<string> | undefined,
): Promise<StageResult<Answers>> {
  const { config, inputs, held, vocabularySize } = work;
  const { batchSize, samples, temperature, maxNewTokens } = config.evaluation;
  const { timeLimit, ...rules } = config.verifier;
  const output = join("stages", `evaluate.${name}.arrow`);
  const problems = held.map(({ rowId, prompt, reference }) => ({ rowId, prompt, reference }));
  return work.stage({
    name: `evaluate.${name}`,
    needs: aligned ? [aligned] : [],
    inputs: {
      model: inputs.identity["model"],
      ...(aligned === undefined && digestOfStart(config.align.adapter)),
      problems: hash(JSON.stringify(problems)),
      sampling: { samples, temperature, maxNewTokens },
      rules,
      seed: config.training.seed,
    },
    output,
    read(path) {
      const answers = readResponses(path, { vocabularySize });
      return {
        greedy: answers.filter(({ sample }) => sample === 0),
        sampled: answers.filter(({ sample }) => sample > 0),
      };
    },
    async work() {
      const reporter = stoppable(work.reporterOf(`evaluate ${name}`), work.interrupted);
      const { verify, close } = verifier({ ...rules, timeLimit });
      try {
        await withModel(work, aligned && (await aligned.load()), async (model) => {
          const { greedy, sampled } = await answerProblems(model, held, {
            ...{ samples, temperature, maxNewTokens, batchSize, seed: config.training.seed, verify },
            onProgress: (done, total) => reporter.working("answering held-out problems", done, total),
          });
          writeResponses(join(work.run.path, output), [
            ...greedy,
            ...sampled.map((answer) => ({ ...answer, sample: answer.sample + 1 })),
          ]);
        });
      } finally {
        await close();
      }
    },
  });
}

/** Does something with an aligned model, or without a folder with the starting one. */
export async function withModel(
  work: CdpoWork,
  folder: string | undefined,
  use: (model: Model) => Promise<void>,
): Promise<void> {
  if (folder === undefined) return use(await work.trunk.start());
  const model = await alignedModel(work, folder);
  try {
    await use(model);
  } finally {
    model.dispose();
  }
}

async function alignedModel({ config, trunk }: CdpoWork, folder: string): Promise<Model> {
  if (config.align.adapter !== undefined) {
    const start = await trunk.model();
    return withAdapter(start, await loadAdapter(join(folder, "adapter"), start));
  }
  trunk.release();
  return loadModel(join(folder, "model"));
}
