/** Every recipe, and what runs one. */
export { attentionGateRecipe, type GateRun } from "./attention-gate/recipe.ts";
export type { GateArm } from "./attention-gate/work.ts";
export { finetuneRecipe, ssTokenRecipe, type FinetuneRun } from "./finetune/recipe.ts";
export type { FinetuneArm } from "./finetune/arm.ts";
export { orealRecipe, type OrealRun } from "./oreal/recipe.ts";
export type { OrealArm } from "./oreal/arm.ts";
export { cdpoRecipe } from "./cdpo/recipe.ts";
export type { CdpoRun } from "./cdpo/run.ts";
export type { Alignment } from "./cdpo/align.ts";
export { runRecipe } from "./kit/run-recipe.ts";
