import { join } from "node:path";
import type { TokenBatch } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { isAdapted, type Adapted } from "../../model/adapters/with-adapter.ts";
import { loadAdapter, portableBase, saveAdapter } from "../../model/adapters/peft.ts";
import type { Model } from "../../model/model.ts";
import { contrastSets } from "../../preference/judged-samples.ts";
import { responseNll } from "../../preference/response-nll.ts";
import { isRunFolder, openRunFolder } from "../../training/run-folder.ts";
import { optimizerStep } from "../../training/step.ts";
import { adapterCardText, shownPath } from "../kit/card.ts";
import { responseBatch, type Judged } from "../kit/responses/index.ts";
import { trainable } from "../kit/adapter.ts";
import type { ResponsePair } from "./files.ts";
import { samplesOf } from "./pairs.ts";
import { decisive, microRows, openStageLearner, recordStep } from "./stage-training.ts";
import { digestOfStart, type StageFile, type StageResult } from "./stages.ts";
import { release, type CdpoWork } from "./work.ts";

type Text = Pick<Judged, "prompt" | "ids" | "finished">;
type Which = "positive" | "negative";

/** The two models that are contrasted: adapters fine-tuned on right and on wrong responses. */
export interface ContrastModels {
  /** Folders of the adapters. */
  readonly positive: StageResult<string>;
  readonly negative: StageResult<string>;
}

/** Where an adapter lies. */
export function adapterFile({ config, needed, trunk }: CdpoWork, which: Which): StageFile<string> {
  return {
    name: `contrast-models.${which}`,
    replacement: config.stages[which],
    needed: needed[which],
    read: (path) => path,
    check: async (path) => (await loadAdapter(path, await trunk.model())).dispose(),
  };
}

/** What the adapters learn: judged responses, or the two sides of given pairs. */
export type ContrastTexts = { judged: StageResult<Judged[]> } | { pairs: StageResult<ResponsePair[]> };

/** Fine-tunes both adapters over the starting model. */
export async function contrastStages(work: CdpoWork, texts: ContrastTexts): Promise<ContrastModels> {
  return {
    positive: await contrastStage(work, texts, "positive"),
    negative: await contrastStage(work, texts, "negative"),
  };
}

function contrastStage(work: CdpoWork, texts: ContrastTexts, which: Which): Promise<StageResult<string>> {
  const { config, inputs } = work;
  const { coverage, skipSingleAnswers, adapter, training } = config.contrast;
  const file = adapterFile(work, which);
  const folder = join("stages", "contrast-models", which);
  const choice = which === "negative" && "judged" in texts ? { coverage, skipSingleAnswers } : {};
  return work.stage({
    ...file,
    needs: ["judged" in texts ? texts.judged : texts.pairs],
    inputs: {
      model: inputs.identity["model"],
      ...choice,
      adapter,
      ...digestOfStart(adapter),
      training: decisive(training),
      seed: config.training.seed,
    },
    output: join(folder, "adapter"),
    leftovers: [folder],
    async work(resume) {
      if ("pairs" in texts) {
        const side = which === "positive" ? "chosen" : "rejected";
        const sides = (await texts.pairs.load()).map((pair) => pair[side]);
        return fineTune(work, { name: file.name, folder, texts: sides, resume });
      }
      const responses = await texts.judged.load();
      const chosen = contrastSets(samplesOf(responses), config.training.seed, { coverage, skipSingleAnswers })[which];
      if (chosen.length === 0)
        throw new UserError(
          "no-usable-rows",
          `the ${which} model has no ${which === "positive" ? "right" : "wrong"} response to learn from`,
          {
            fix: "Draw more responses (sampling.samples), or at another sampling.temperature.",
          },
        );
      await fineTune(work, { name: file.name, folder, texts: chosen.map((i) => responses[i]!), resume });
    },
  });
}

async function fineTune(
  work: CdpoWork,
  { name, folder, texts, resume }: { name: string; folder: string; texts: readonly Text[]; resume: boolean },
): Promise<void> {
  const { config, command } = work;
  const { chatTemplate } = work.inputs;
  const { adapter, training } = config.contrast;
  const path = join(work.run.path, folder);
  work.reporterOf(name).note(`${name}: ${texts.length} responses.`);
  using run = openRunFolder(path, isRunFolder(path) ? (resume ? "resume" : "overwrite") : "new");
  const disposals: (() => void)[] = [];
  try {
    const model = await trainable(await work.trunk.model(), adapter, config.training.seed);
    disposals.unshift(() => release(model));
    const lengths = texts.map(({ prompt, ids }) => prompt.length + ids.length);
    const learner = await openStageLearner(work, { name, run, model, training, lengths, resume });
    disposals.unshift(learner.dispose);
    const rowsOf = microRows(config, training, lengths);
    for (const step of learner.steps()) {
      const batches = rowsOf(step).map((rows) => fineTuningBatch(rows.map((row) => texts[row]!)));
      const outcome = await optimizerStep(learner, step, batches, responseNll);
      await recordStep(learner, batches, outcome, { rows: training.batchSize });
    }
    if (!isAdapted(model)) throw new Error("the contrasted models are adapters");
    const facts = [`Start: ${shownPath(config.model)}`, `${texts.length} responses, seed ${config.training.seed}`];
    const card = { title: `The model ${name} of a cDPO run`, facts, command, chatTemplate };
    await saveAdapter(model as Model & Adapted<Model>, run.adapter, {
      card: adapterCardText(card, portableBase(model.adapter)),
      chatTemplate,
    });
  } finally {
    disposals.forEach((free) => free());
  }
}

function fineTuningBatch(texts: readonly Text[]): { batch: TokenBatch; aux: undefined } {
  return { batch: responseBatch(texts), aux: undefined };
}
