/** Every recipe, and what runs one. */
export { finetuneRecipe, ssTokenRecipe, type FinetuneRun } from "./finetune/recipe.ts";
export { type FinetuneArm } from "./finetune/arm.ts";
export { runRecipe } from "./kit/recipe.ts";
