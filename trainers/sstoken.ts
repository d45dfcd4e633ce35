// npx tsx trainers/sstoken.ts --config configs/sstoken/quickstart.yaml
//
// ssToken (https://arxiv.org/abs/2510.18250): supervised fine-tuning on the share rho of each response's tokens with
// the highest score
//
//     score = gamma * minmax(L_history - L) + (1 - gamma) * attention on the prompt
//
// where L is the token's loss under the model in training and L_history under an earlier state of it. Everything that
// differs from plain fine-tuning is which tokens have a weight: src/selection/sstoken.ts.
import { runRecipe } from "../src/recipes/index.ts";
import { readLosses, scoreBatches, stepGradient, stepLoss, weighTogether } from "../src/training/index.ts";

await runRecipe("sstoken", async (run) => {
  // The arms: ssToken, then the rules of `compare`, each from the same model, data and seed.
  for await (const arm of run.arms()) {
    const { learner, rule } = arm;
    for (const step of learner.steps()) {
      learner.startStep(step);
      const batches = arm.batches(step); // micro-batches of the step's rows, [rows, width] tokens each

      // Phase 1: what the rule reads of every token: nll, historyNll, promptAttention.
      const scored = await scoreBatches(learner, batches, arm.signals);
      const seen = scored.map(({ tokens }) => tokens);

      // What ssToken is: weight 1 on the share rho of each response with the highest score, 0 on every other token.
      const { weights, metrics } = weighTogether(rule, seen, arm.context());
      const weighted = batches.map((batch, m) => ({ ...batch, weights: weights[m]! }));

      // The step's loss is sum(w * nll) / kept tokens, linear in log p: its gradient is -w / kept tokens.
      const { dLogProb, empty } = stepGradient(weighted, rule);

      // Phase 2: backward through the rows of kept tokens alone. The pass of a single micro-batch is still open.
      const nll: Float32Array[] = [];
      for (const [m, batch] of batches.entries()) {
        const pass = scored[m]!.pass ?? learner.forward(batch);
        nll.push(await readLosses(pass, batch));
        pass.backward({ logProb: dLogProb[m]! });
        pass[Symbol.dispose]();
      }
      const update = empty ? learner.skip() : await learner.update(); // clip the gradient's norm, AdamW

      const losses = stepLoss(
        weighted.map((batch, m) => ({ ...batch, nll: nll[m]! })),
        rule,
      );
      await arm.record(batches, { ...losses, ...update, weights, ruleMetrics: metrics }); // log, evaluate, save
    }
    await arm.finish(); // held-out losses and answers, token pictures, the model
  }
});
