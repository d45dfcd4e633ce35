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
// entries. Gates are in src/eviction/gates, caches in src/eviction/cache, an arm's parts in src/recipes/attention-gate.
import { runAttentionGateRecipe } from "../src/recipes/attention-gate/recipe.ts";
import { accumulateObjective } from "../src/training/index.ts";

await runAttentionGateRecipe(async (arm) => {
  for (const number of arm.steps()) {
    const step = arm.prepare(number); // rows, each micro-batch with its pass: gates decide in its midst
    const outcome = await accumulateObjective(step.batches, step.needs, step.masses); // read, judge, backward
    await arm.update(step, outcome); // clip, AdamW on model and gates, record
  }
  await arm.finish(); // losses, answers over every cache, gates and model to disk
});
