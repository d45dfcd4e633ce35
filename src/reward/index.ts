export { type Outcomes, type Verdict, outcomeRewards, rightResponses } from "./outcomes.ts";
export { advantages } from "./advantages.ts";
export { chooseResponses } from "./choose-responses.ts";
export { tokenWeights } from "./token-weights.ts";
export { shuffledWeights } from "./shuffled-weights.ts";
export { rewardModelObjective } from "./reward-model-objective.ts";
export { type PolicyAux, policyObjective } from "./policy-objective.ts";
export { type OutcomeSettings, outcomePresets } from "./outcome-presets.ts";
