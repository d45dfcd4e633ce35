import { attentionGate } from "./attention-gate/about.ts";
import { cdpo } from "./cdpo/about.ts";
import { finetune, ssToken } from "./finetune/about.ts";
import { oreal } from "./oreal/about.ts";

const exploredFinetuning = async () => (await import("./finetune/report-run.ts")).readFinetuneRun;

/**
 * Every recipe, in the order in which help and pages name them: whatever knows all of them takes them from here. Each is
 * loaded when it is wanted, so that a list does not wait for the engine. `explored` reads a run whose rows can be weighed in
 * a page.
 */
export const recipes = [
  { ...ssToken, load: async () => (await import("./finetune/recipe.ts")).ssTokenRecipe, explored: exploredFinetuning },
  {
    ...finetune,
    load: async () => (await import("./finetune/recipe.ts")).finetuneRecipe,
    explored: exploredFinetuning,
  },
  { ...cdpo, load: async () => (await import("./cdpo/recipe.ts")).cdpoRecipe },
  { ...oreal, load: async () => (await import("./oreal/recipe.ts")).orealRecipe },
  { ...attentionGate, load: async () => (await import("./attention-gate/recipe.ts")).attentionGateRecipe },
] as const;
