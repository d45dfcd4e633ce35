import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { isAdapted, loadAdapter, saveAdapter, type Adapted, type Model } from "../../model/index.ts";
import { contrastSets, responseNll } from "../../preference/index.ts";
import { isRunFolder, openRunFolder, trainObjective, type ObjectiveInput } from "../../training/index.ts";
import { cardText, shownPath } from "../kit/card.ts";
import { responseBatch, type Judged } from "../kit/responses/index.ts";
import { openLearner } from "./learner.ts";
import { samplesOf } from "./pairs.ts";
import type { Stage } from "./stages.ts";
import { decisive, release, trainable, withTrunk, type CdpoWork } from "./work.ts";

type Text = Pick<Judged, "prompt" | "ids" | "finished">;

/** The two models that are contrasted: adapters fine-tuned on right and on wrong responses. */
export interface ContrastModels {
  /** Folders of the adapters. */
  readonly positive: Stage<string>;
  readonly negative: Stage<string>;
}

/** Fine-tunes both adapters over the starting model. */
export function contrastStages(work: CdpoWork, judged: Stage<Judged[]>): ContrastModels {
  return { positive: contrastStage(work, judged, "positive"), negative: contrastStage(work, judged, "negative") };
}

function contrastStage(work: CdpoWork, judged: Stage<Judged[]>, which: "positive" | "negative"): Stage<string> {
  const { config, materials } = work;
  const { coverage, skipSingleAnswers, adapter, training } = config.contrast;
  const name = `contrast-models.${which}`;
  const folder = join("stages", "contrast-models", which);
  const choice = which === "negative" ? { coverage, skipSingleAnswers } : {};
  return work.stage({
    name,
    needs: [judged],
    inputs: { model: materials.identity["model"], ...choice, adapter, training: decisive(training), seed: config.seed },
    output: join(folder, "adapter"),
    leftovers: [folder],
    replacement: config.stages[which],
    read: (path) => path,
    check: (path) => withTrunk(work, async (trunk) => (await loadAdapter(path, trunk)).dispose()),
    async work(resume) {
      const responses = await judged.load();
      const chosen = contrastSets(samplesOf(responses), config.seed, { coverage, skipSingleAnswers })[which];
      if (chosen.length === 0)
        throw new UserError(
          `the ${which} model has no ${which === "positive" ? "right" : "wrong"} response to learn from`,
          {
            fix: "Draw more responses (sampling.samples), or at another sampling.temperature.",
          },
        );
      const texts = chosen.map((i) => responses[i]!);
      await withTrunk(work, (trunk) => fineTune(work, trunk, { name, folder, texts, resume }));
    },
  });
}

async function fineTune(
  work: CdpoWork,
  trunk: Model,
  { name, folder, texts, resume }: { name: string; folder: string; texts: readonly Text[]; resume: boolean },
): Promise<void> {
  const { config, materials, interrupted, allowChanges, command } = work;
  const { adapter, training } = config.contrast;
  const path = join(work.run.path, folder);
  const talk = work.talkOf(name);
  talk.note(`${name}: ${texts.length} responses.`);
  using run = openRunFolder(path, isRunFolder(path) ? (resume ? "resume" : "overwrite") : "new");
  const model = await trainable(trunk, adapter, config.seed);
  const learner = await openLearner({
    ...{ name, run, model, training, materials, talk, resume, allowChanges, interrupted },
    seed: config.seed,
    shuffle: config.data.shuffle,
    lengths: texts.map(({ prompt, ids }) => prompt.length + ids.length),
    input: (rows) => fineTuningInput(rows.map((row) => texts[row]!)),
  });
  try {
    for await (const step of trainObjective(learner.state, learner.options)) await learner.record(step);
    if (!isAdapted(model)) throw new Error("the contrasted models are adapters");
    const facts = [`Start: ${shownPath(config.model)}`, `${texts.length} responses, seed ${config.seed}`];
    const card = cardText(`The model ${name} of a cDPO run`, facts, command);
    await saveAdapter(model as Model & Adapted<Model>, run.adapter, { card, baseModel: model.source });
  } finally {
    learner.state.optimizer.dispose();
    release(model);
  }
}

/** Responses under plain fine-tuning. */
export function fineTuningInput(texts: readonly Text[]): ObjectiveInput {
  const batch = responseBatch(texts);
  const tokens = { ...batch, signals: {} };
  return { batch, masses: responseNll.masses(tokens), judge: (signals) => responseNll.evaluate(signals, tokens) };
}
