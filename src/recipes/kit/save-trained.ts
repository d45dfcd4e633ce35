import { whileMerged } from "../../model/adapters/merge.ts";
import { saveMerged } from "../../model/adapters/save-merged.ts";
import { portableBase, saveAdapter } from "../../model/adapters/peft.ts";
import { isAdapted, type Adapted } from "../../model/adapters/with-adapter.ts";
import { saveModel, type Model } from "../../model/model.ts";
import { typeToSave, type WeightsFormat } from "../../model/weights/save.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import { adapterCardText, cardText, type Card } from "./card.ts";

/**
 * Writes the trained model to the run folder; of one with an adapter also that alone, unrounded.
 * @param card its chat template goes beside the adapter; that beside the model is the model's tokenizer's
 */
export async function saveTrained(
  run: RunFolder,
  model: Model,
  card: Card,
  save: Required<WeightsFormat>,
): Promise<void> {
  if (isAdapted(model)) {
    const { chatTemplate } = card;
    await saveAdapter(model, run.adapter, { card: adapterCardText(card, portableBase(model.adapter)), chatTemplate });
    const trunk = model.trunk as Model;
    if (trunk.stored !== undefined) {
      const facts = [...card.facts, weightsFact(trunk, save)];
      await saveMerged(model as Model & Adapted<Model>, run.model, { ...save, card: cardText({ ...card, facts }) });
      return;
    }
  }
  const write = (whole: Model): Promise<void> => {
    const facts = [...card.facts, weightsFact(whole, save)];
    return saveModel(whole, run.model, { ...save, card: cardText({ ...card, facts }) });
  };
  if (isAdapted(model)) await whileMerged(model as Model & Adapted<Model>, write);
  else await write(model);
}

type Weights = Pick<Model, "parameters" | "stored" | "origin">;

/** In which numbers the weights are, and whether these are those that were trained. */
export function weightsFact(model: Weights, save: WeightsFormat): string {
  const types = typesOf(model, save);
  if (types === "float32") return "Weights: float32, as they were trained";
  return (
    `Weights: ${types}${asItCame(save)}. They were trained as float32 and rounded to the nearest when they were ` +
    `saved: what the run measured before that can differ from what this folder gives. ${rounding} ` +
    "`save.dtype: float32` keeps them as they were trained."
  );
}

/** The same of a model into which an adapter was merged, without a run. */
export function mergedWeightsFact(model: Weights, save: WeightsFormat): string {
  const types = typesOf(model, save);
  if (types === "float32") return "Weights: float32, as they were summed";
  return (
    `Weights: ${types}${asItCame(save)}. Weights and adapter were summed in float32 and rounded once to the nearest, so ` +
    `this folder can give other numbers than the model with its adapter beside it. ${rounding} ` +
    "`--dtype float32` keeps the sums."
  );
}

const rounding = "Rounding to bfloat16 moves -log p of a token by up to about 0.01.";

function typesOf({ parameters, stored = [], origin }: Weights, save: WeightsFormat): string {
  const types = new Set([...parameters, ...stored].map(({ name }) => typeToSave(name, { ...save, origin })));
  return [...types].sort().join(" and ");
}

function asItCame({ dtype }: WeightsFormat): string {
  return dtype === "as-read" ? " as the model came" : "";
}
