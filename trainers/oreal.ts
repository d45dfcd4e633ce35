// npx tsx trainers/oreal.ts --config configs/oreal/quickstart.yaml
//
// OREAL (https://arxiv.org/abs/2502.06781): reinforcement learning from whether a final answer is right. In each
// iteration the policy answers questions, a verifier judges the answers, questions that are all wrong or all right are
// dropped, and the policy learns from the rest:
//
//     c+ / N+  sum over right answers  a(y) sum_t w_t (-log p_t)         behaviour cloning
//   - c- / N-  sum over wrong answers  A(y) sum_t w_t p_t / sg(p_t)      policy gradient, A(y) < 0
//   + beta/N   sum over both           sum_t kl_t                        stay near a reference
//
// where the token weights w_t come from a reward model that learns, from the same answers, which tokens decide
// (`objective.weights.source: learned`); they are read before it is updated. REINFORCE, RLOO and GRPO are settings of
// the same loss (`objective.preset`). The formulas are in src/reward, the steps of an arm in src/recipes/oreal.
import { runOrealRecipe } from "../src/recipes/oreal/recipe.ts";

await runOrealRecipe(async (arm) => {
  for (const iteration of arm.iterations()) {
    const rollouts = await arm.sample(iteration); // K judged answers to each question
    const kept = arm.keep(rollouts); // advantages over whole groups, then the filter
    const weighed = await arm.weigh(kept); // log-probabilities and token weights, as they are now
    const reward = await arm.teachRewardModel(weighed);
    const policy = await arm.teachPolicy(weighed);
    await arm.record(weighed, reward, policy);
  }
  await arm.finish();
});
