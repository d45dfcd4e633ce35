import { join } from "node:path";
import { withAdapter } from "../../model/adapters/lora.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { type Model, loadModel } from "../../model/model.ts";
import { stream } from "../../system/random.ts";
import { verifier } from "../../text/index.ts";
import { drawResponses, judgeResponses, readResponses, writeResponses, type Judged } from "../kit/responses/index.ts";
import { stoppable } from "../kit/reporter.ts";
import { hash, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** Judged answers to the held-out problems. */
export interface Answers {
  /** One to each problem, the most likely one. */
  readonly greedy: readonly Judged[];
  /** `evaluation.samples` to each. */
  readonly sampled: readonly Judged[];
}

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
      const total = held.length * (1 + samples);
      const seed = stream(config.training.seed, "evaluation").below(2 ** 31);
      const { verify, close } = verifier({ ...rules, timeLimit });
      const answers = async (model: Model, count: number, heat: number, before: number): Promise<Judged[]> => {
        if (count === 0) return [];
        const drawn = await drawResponses(model, held, {
          ...{ samples: count, temperature: heat, maxNewTokens, batchSize, seed },
          onProgress: (done) => reporter.working("answering held-out problems", before + done, total),
        });
        return judgeResponses(drawn, held, { tokenizer: model.tokenizer, verify });
      };
      try {
        await withModel(work, aligned && (await aligned.load()), async (model) => {
          const greedy = await answers(model, 1, 0, 0);
          const sampled = await answers(model, samples, temperature, held.length);
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

async function withModel(
  work: CdpoWork,
  folder: string | undefined,
  use: (model: Model) => Promise<void>,
): Promise<void> {
  if (folder === undefined) return use(await work.trunk.model());
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
