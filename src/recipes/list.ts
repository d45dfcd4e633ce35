import { attentionGateRecipe } from "./attention-gate/recipe.ts";
import { cdpoRecipe } from "./cdpo/recipe.ts";
import { finetuneRecipe, ssTokenRecipe } from "./finetune/recipe.ts";
import { orealRecipe } from "./oreal/recipe.ts";

/** Every recipe, in the order in which help and pages name them: what knows all of them takes them from here. */
export const recipes = [ssTokenRecipe, finetuneRecipe, cdpoRecipe, orealRecipe, attentionGateRecipe] as const;
