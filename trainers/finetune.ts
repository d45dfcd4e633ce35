// npx tsx trainers/finetune.ts --config configs/finetune/pretrain-tiny.yaml
//
// Fine-tuning, or training from fresh weights, under any rule of the catalogue or of your own
// (`selection.method: ./my-rule.ts`); by default every response token counts the same. A rule gives every token a
// weight w, and a step minimises
//
//     sum w(i) (-log p(i)) / mass        mass: kept tokens, response tokens, ... (the rule's divisor)
//
// trainers/sstoken.ts spells out what `ruleStep` does.
import { runRecipe } from "../src/recipes/index.ts";
import { ruleStep } from "../src/training/index.ts";

await runRecipe("finetune", async (run) => {
  // The arms: the configured rule, then the rules of `compare`, each from the same model, data and seed.
  for await (const arm of run.arms()) {
    const { learner, rule, signals: plan } = arm;
    for (const step of learner.steps()) {
      const batches = arm.batches(step); // micro-batches of the step's rows
      // forward and read; the rule weighs all tokens; backward with -w / mass on log p; clip, AdamW
      const outcome = await ruleStep(learner, step, batches, { rule, plan, context: arm.context() });
      await arm.record(batches, outcome); // log, evaluate, save
    }
    await arm.finish(); // held-out losses and answers, token pictures, the model
  }
});
