// npx tsx trainers/oreal.ts --config configs/oreal/quickstart.yaml
//
// OREAL (https://arxiv.org/abs/2502.06781): reinforcement learning from whether a final answer is right. In each
// iteration the policy answers questions, a verifier judges the answers, questions that are all wrong or all right are
// dropped, and the policy learns from the rest, by the loss
//
//     c+ / N+  sum over right answers  a(y) sum_t w_t (-log p_t)         behaviour cloning
//   - c- / N-  sum over wrong answers  A(y) sum_t w_t p_t / sg(p_t)      policy gradient, A(y) < 0
//   + beta/N   sum over both           sum_t kl_t                        stay near a reference
//
// where the token weights w_t come from a reward model that learns, from the same answers, which tokens decide
// (`objective.weights.source: learned`); they are read before it is updated. REINFORCE, RLOO and GRPO are settings of
// the same loss (`objective.preset`).
import { runRecipe } from "../src/recipes/index.ts";
import { advantages, chooseResponses, rightResponses } from "../src/reward/index.ts";
import { policyObjective, rewardModelObjective, shuffledWeights, tokenWeights } from "../src/reward/index.ts";
import { optimizerStep, readNumbers } from "../src/training/index.ts";

await runRecipe("oreal", async (run) => {
  // The arms: the configured objective, then those of `compare`, each from the same model, questions and seed.
  for await (const arm of run.arms()) {
    const { policy, reward, reference, settings, chooses } = arm;
    for (const iteration of policy.steps()) {
      // The policy's own answers, K to each question, each judged (correct, wrong, unparsable, timeout) and rewarded: r(y).
      const rollouts = await arm.sample(iteration);
      const { outcomes } = rollouts;

      // Advantages A(y) over the whole group of K; only then the filter.
      const right = rightResponses(outcomes);
      const worth = advantages(outcomes, settings.advantage);
      const choice = chooseResponses(outcomes, { ...chooses, iteration });

      // Before any update, by passes without gradient: all that the losses read of kept answers, [rows, width] each.
      const read = [];
      for (const { batch, aux } of arm.batches(rollouts, { right, advantages: worth, kept: choice.kept })) {
        const { logProb: now, entropy } = await readNumbers(policy, batch, ["logProb", "entropy"]);
        const logProb = arm.drawnLogProb(rollouts, batch) ?? now; // of a replayed run as it was stored

        // The reference of kl_t: the policy that drew the answers, or the model before training.
        let referenceLogProb;
        if (reference === "old") referenceLogProb = logProb;
        else if (reference) referenceLogProb = (await readNumbers(reference, batch, ["logProb"])).logProb;

        // w_t: how sure the reward model's score s_t is of the outcome, clamp((q_t - theta) / (1 - theta), 0, 1), where
        // q_t is sigmoid(s_t) in right answers and 1 - sigmoid(s_t) in wrong ones. Without a reward model w_t = 1.
        let weights;
        if (reward) {
          const { score } = await readNumbers(reward.learner, batch, ["score"]);
          weights = tokenWeights(score, batch, aux.right, reward.weights);
          // The control: shuffled within each answer, with the same sum of w_t or (equalPush) of w_t (1 - p_t).
          const pushUnder = reward.equalPush ? now : undefined;
          if (reward.shuffled) weights = shuffledWeights(weights, batch, { seed: chooses.seed, iteration, pushUnder });
        }
        read.push({ batch, aux: { ...aux, weights, referenceLogProb, sampledLogProb: logProb }, logProb, entropy });
      }

      // Or w_t from elsewhere (`objective.weights.source`): entropies, the adapter's shift, a rule, a file or column of yours.
      const batches = await arm.weigh(rollouts, read);

      // The reward model learns: binary cross entropy of sigmoid(mean_t s_t) and the outcome, mean over kept answers.
      const taught = [];
      if (reward)
        for (const step of reward.steps(iteration, batches))
          taught.push(await optimizerStep(reward.learner, step, batches, rewardModelObjective(reward.weights)));

      // The policy learns: forward; on each kept token d loss / d log p_t = -c+ a w_t / N+ in right answers and
      // -c- A w_t / N- in wrong ones, times the ratio to sampledLogProb where `objective.clip` bounds it, and the slope of
      // kl_t; backward. Then clip, AdamW.
      const moved = [];
      for (const step of arm.policySteps(iteration, batches))
        moved.push(await optimizerStep(policy, step, batches, policyObjective(settings.policy)));

      // Log, trajectories; evaluate and save when that is due.
      await arm.record({ rollouts, right, advantages: worth, choice, batches, taught, moved });
    }
    await arm.finish(); // answers to held-out problems, token pictures, the models
  }
});
