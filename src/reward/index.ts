export {
  type Group,
  type Outcomes,
  type RewardRange,
  type Verdict,
  groupsOf,
  outcomeRewards,
  rightResponses,
} from "./outcomes.ts";
export { type AdvantageOptions, advantages } from "./advantages.ts";
export { type Choice, type ChoiceOptions, chooseResponses } from "./choose-responses.ts";
export { type ScoreAt, type ScoredTokens } from "./scores.ts";
export { type TokenWeightOptions, tokenWeightPresets, tokenWeights } from "./token-weights.ts";
export { shuffledWeights, weightSummary } from "./shuffled-weights.ts";
export { type OutcomeAux, rewardModelObjective } from "./reward-model-objective.ts";
export { type KlForm, klEstimate } from "./kl.ts";
export { type PolicyOptions, type PolicySettings } from "./policy-options.ts";
export { type PolicyAux, policyObjective } from "./policy-objective.ts";
export { type OutcomeSettings, outcomeNotes, outcomePresets } from "./outcome-presets.ts";
export { responseScores, type ResponseScores } from "./response-scores.ts";
export { bestOfN } from "./best-of-n.ts";
