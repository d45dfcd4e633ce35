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
export { type Choice, type ChoiceOptions, chooseResponses } from "./chooseResponses.ts";
export { type ScoreAt, type ScoredTokens } from "./scores.ts";
export { type TokenWeightOptions, tokenWeightPresets, tokenWeights } from "./tokenWeights.ts";
export { shuffledWeights, weightSummary } from "./shuffledWeights.ts";
export { type ScoreTerm, rewardModelLoss } from "./rewardModelLoss.ts";
export { type KlForm, klEstimate } from "./kl.ts";
export { type PolicyOptions, type PolicySettings } from "./policyOptions.ts";
export { type PolicyAux, type PolicyMasses, policyMasses, policyObjective } from "./policyObjective.ts";
export { type OutcomeSettings, outcomeNotes, outcomePresets } from "./outcomePresets.ts";
export { type ReducedStep, reduceTerms } from "./reduceTerms.ts";
export { bestOfN } from "./bestOfN.ts";
export {
  loadTokenRewardModel,
  saveTokenRewardModel,
  tokenRewardModel,
  type TokenRewardModel,
} from "./tokenRewardModel.ts";
