// npx tsx trainers/attention-gate.ts --config configs/attention-gate/quickstart.yaml
//
// Attention-Gate (https://arxiv.org/abs/2410.12876): a small network in front of every layer's attention reads the
// hidden states and says, of each token and key-value head, whether its key and value are kept. What is evicted is
// neither seen by later tokens nor stored. Gates learn by a straight-through estimator from
//
//     -log p of the tokens to be learnt  +  alpha f(share kept - beta)      the eviction loss
//
// `mode: finetune` trains them with the model's adapter, `mode: pretrain` alone. The run ends with answers to held-out
// prompts over caches that really drop what is evicted: by the gates, and by published scores that keep as many
// entries. The formulas are in src/eviction, the gates in src/eviction/gates, the caches in src/eviction/cache.
import { attentionGateRecipe, runRecipe } from "../src/recipes/index.ts";
import { lossGradient, partsOf, sumByName } from "../src/training/index.ts";

await runRecipe(attentionGateRecipe, async (run) => {
  // The arms: the model with gates, then the control, the same training without gates.
  for await (const arm of run.arms()) {
    const { learner, objective } = arm;
    for (const step of learner.steps()) {
      learner.startStep(step);
      const batches = arm.batches(step); // micro-batches, with the tokens that may be evicted: not sinks, not the window

      // What the two sums are divided by, over the whole step: response tokens; rows with a token that may be evicted.
      const masses = sumByName(batches.map(({ batch, aux }) => objective.masses(batch, aux)));

      const parts = [];
      const metrics = [];
      for (const { batch, aux, pass: open } of batches) {
        // Phase 1, with gates in its midst: attention = softmax(q k) * gate. Read log p, [rows * width], and of every
        // layer the gates' probabilities, [rows * width * key-value heads].
        const pass = open!();
        const signals = await pass.read(objective.reads);

        // Both losses, and their gradients on log p (-1 on response tokens) and on the probabilities: the decision
        // p > tau is not differentiable, so its gradient is handed straight through to p.
        const evaluated = objective.evaluate(signals, batch, aux);
        parts.push(partsOf(evaluated.terms, masses));
        metrics.push(evaluated.metrics);

        // Phase 2: back through attention, gates and model.
        pass.backward(lossGradient(evaluated.terms, masses));
        pass[Symbol.dispose]();
      }
      const update = await learner.update(); // clip the gradient's norm, AdamW on model and gates

      const sums = sumByName(parts);
      const loss = Object.values(sums).reduce((sum, part) => sum + part, 0);
      await arm.record(batches, { loss, parts: sums, metrics, ...update }); // log, evaluate, save
    }
    await arm.finish(); // losses, answers over every cache, gates and model to disk
  }
});
