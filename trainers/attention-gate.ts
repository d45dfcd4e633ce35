// npx tsx trainers/attention-gate.ts --config configs/attention-gate/quickstart.yaml
//
// Attention-Gate (https://arxiv.org/abs/2410.12876): a small network in front of every layer's attention says, of each
// token and key-value head, what its key and value are worth. What is evicted is not stored. Gates learn
//
//     -sum_j p_j log softmax(score)_j     p: the largest attention that later queries give j, times |value|, as shares
//
// of a model that stays as it is (`gates.objective: future`), or, as in the paper, under their own decisions, whose
// gradient is handed straight through (`end-to-end`):
//
//     -log p of the tokens to be learnt  +  alpha f(share kept - beta)      the eviction loss
//
// or the same with KL(p without gates || p) in place of -log p (`distill`).
// `mode: finetune` trains gates with the model's adapter, `mode: pretrain` alone. The run ends with answers to held-out
// prompts over caches that really drop what is evicted: by the gates, and by scores that keep as many entries. The
// formulas are in src/eviction, the gates in src/eviction/gates, the caches in src/eviction/cache.
import { runRecipe } from "../src/recipes/index.ts";
import { lossGradient, partsOf, sumByName } from "../src/training/index.ts";

await runRecipe("attention-gate", async (run) => {
  // The arms: the model with gates, then the control, the same training without gates.
  for await (const arm of run.arms()) {
    const { learner, objective } = arm;
    for (const step of learner.steps()) {
      learner.startStep(step);
      const batches = arm.batches(step); // micro-batches, with the tokens that may be evicted: not sinks, not the window

      // What the sums are divided by, over the whole step: response tokens; rows with something to evict, or to foresee.
      const masses = sumByName(batches.map(({ batch, aux }) => objective.masses(batch, aux)));

      const parts = [];
      const metrics = [];
      for (const { batch, aux, pass: open } of batches) {
        // Phase 1. future: model without a tape, then the gates; read of every layer their scores and what they are to
        // foresee, [rows * width * key-value heads]. end-to-end: gates in the model's midst, attention = softmax(q k) *
        // gate; read log p (or that KL), [rows * width], and of every layer the gates' probabilities.
        const pass = open!();
        const signals = await pass.read(objective.reads);

        // The losses, and their gradients on what was read: softmax - p on scores; -1 on log p of response tokens (1 on KL), and
        // on probabilities that of the decision p > tau, which is not differentiable, handed straight through.
        const evaluated = objective.evaluate(signals, batch, aux);
        parts.push(partsOf(evaluated.terms, masses));
        metrics.push(evaluated.metrics);

        // Phase 2: back through the gates; end-to-end, through attention and model, too.
        pass.backward(lossGradient(evaluated.terms, masses));
        pass[Symbol.dispose]();
      }
      const update = await learner.update(); // clip the gradient's norm, AdamW on gates and whatever else trains

      const sums = sumByName(parts);
      const loss = Object.values(sums).reduce((sum, part) => sum + part, 0);
      await arm.record(batches, { loss, parts: sums, metrics, ...update }); // log, evaluate, save
    }
    await arm.finish(); // losses, answers over every cache, gates and model to disk
  }
});
