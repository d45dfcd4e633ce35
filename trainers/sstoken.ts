// npx tsx trainers/sstoken.ts --config configs/sstoken/quickstart.yaml
//
// ssToken (https://arxiv.org/abs/2510.18250): supervised fine-tuning on the share rho of each response's tokens with
// the highest score
//
//     gamma * minmax(L_history - L) + (1 - gamma) * attention on the prompt
//
// where L is the token's loss under the model in training and L_history under an earlier state of it. Everything that
// differs from plain fine-tuning is the rule (src/selection/sstoken.ts), which `train` asks for the weight of every
// token between the two phases of a step: forward, read, weigh, backward.
import { runRecipe } from "../src/recipes/finetune/recipe.ts";
import { train } from "../src/training/index.ts";

const recipe = {
  name: "sstoken",
  summary: "Fine-tunes a model on the response tokens that ssToken selects, beside other rules for comparison.",
  example: "configs/sstoken/quickstart.yaml",
  method: "sstoken",
};

await runRecipe(recipe, async (arm) => {
  for await (const step of train(arm.state, arm.options)) await arm.record(step);
  await arm.finish();
});
