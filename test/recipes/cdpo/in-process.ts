import { loadConfig } from "../../../src/config/index.ts";
import { cdpoRecipe } from "../../../src/recipes/cdpo/recipe.ts";
import type { Alignment } from "../../../src/recipes/cdpo/align.ts";
import type { CdpoRun } from "../../../src/recipes/cdpo/run.ts";
import type { CdpoConfig } from "../../../src/recipes/cdpo/config-schema.ts";
import type { RecipeWork } from "../../../src/recipes/kit/recipe.ts";
import { gatherInputs, type RunInputs } from "../../../src/recipes/kit/inputs.ts";
import { perform } from "../../../src/recipes/kit/run-from-command-line.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { optimizerStep } from "../../../src/training/index.ts";
import { tensorCount } from "../../training/reference.ts";

/** How many copies of the starting model there were, how many at once, and the tensors that are left. */
export interface Copies {
  copies: number;
  mostAtOnce: number;
  tensors: number;
}

/** What `trainers/cdpo.ts` does, in this process and by the library's step. */
async function pipeline(run: CdpoRun): Promise<void> {
  const judged = await run.judge(await run.sample());
  const models = await run.contrastModels(judged);
  const scored = await run.score(await run.pairs(judged), models);
  await run.evaluate("base");
  for (const arm of run.arms) await run.evaluate(arm.name, await run.align(arm, scored, train));
}

async function train({ learner, objective, batches, record }: Alignment): Promise<void> {
  for (const step of learner.steps()) {
    const own = batches(step);
    await record(own, await optimizerStep(learner, step, own, objective));
  }
}

/** @param changes of what the command line asks for: whether the person has asked to stop, how the folder is opened */
export async function runInProcess(
  path: string,
  changes: Partial<Pick<RecipeWork<CdpoConfig>, "interrupted" | "mode">> = {},
): Promise<Copies> {
  const { config, resolvedYaml } = loadConfig(cdpoRecipe.config, path);
  const reporter = { note: () => undefined, working: () => undefined, step: () => undefined };
  const engine = await useEngine("cpu", { threads: 1 });
  const before = tensorCount();
  const copies = new Set<unknown>(); // a copy is known by its weights
  const open: unknown[] = [];
  let mostAtOnce = 0;
  const counted =
    (opened: RunInputs["openModel"]): RunInputs["openModel"] =>
    async (options) => {
      const model = await opened(options);
      copies.add(model.embedding);
      open.push(model.embedding);
      mostAtOnce = Math.max(mostAtOnce, new Set(open).size);
      return {
        ...model,
        dispose() {
          open.splice(open.indexOf(model.embedding), 1);
          model.dispose();
        },
      };
    };
  const counting = ({ openModel, shareModel, ...inputs }: RunInputs): RunInputs => ({
    ...inputs,
    openModel: counted(openModel),
    shareModel: counted(shareModel),
  });
  let inputs: Promise<RunInputs> | undefined;
  const gather = async () =>
    gatherInputs(cdpoRecipe.start(config), engine, reporter, await cdpoRecipe.readsPairs!(config));
  try {
    await perform(cdpoRecipe, pipeline, {
      ...{
        config,
        resolvedYaml,
        mode: "new",
        allowChanges: false,
        reporterOf: () => reporter,
        interrupted: () => false,
        ...changes,
      },
      inputs: () => (inputs ??= gather().then(counting)),
      command: "npx tsx trainers/cdpo.ts",
    });
    const { close } = await inputs!;
    await close();
    return { copies: copies.size, mostAtOnce, tensors: tensorCount() - before };
  } finally {
    releaseEngine();
  }
}
