// npx tsx trainers/finetune.ts --config configs/finetune/pretrain-tiny.yaml
//
// Fine-tuning, or training from fresh weights, under any rule of the catalogue or of your own
// (`selection.method: ./my-rule.ts`); by default every response token counts the same.
import { runRecipe } from "../src/recipes/finetune/recipe.ts";
import { train } from "../src/training/index.ts";

const recipe = {
  name: "finetune",
  summary: "Fine-tunes a model on its responses, or trains one from fresh weights.",
  example: "configs/finetune/pretrain-tiny.yaml",
  method: "full",
};

await runRecipe(recipe, async (arm) => {
  for await (const step of train(arm.state, arm.options)) await arm.record(step);
  await arm.finish();
});
