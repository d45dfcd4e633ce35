/** What runs a recipe, and what its trainer gets. */
export type { GateArm } from "./attention-gate/work.ts";
export type { FinetuneArm } from "./finetune/arm.ts";
export type { OrealArm } from "./oreal/arm.ts";
export type { Alignment } from "./cdpo/align.ts";
export { runRecipe, type RecipeName, type RunOf } from "./run-recipe.ts";
