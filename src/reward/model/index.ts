export {
  loadTokenRewardModel,
  saveTokenRewardModel,
  tokenRewardModel,
  type TokenRewardModel,
} from "./token-reward-model.ts";
