// npx tsx trainers/cdpo.ts --config configs/cdpo/quickstart.yaml
//
// cDPO (https://arxiv.org/abs/2411.19943): direct preference optimisation in which a wrong answer's tokens weigh as much
// as they are critical. Not "conservative DPO", which smooths labels.
//
//     log s_t = (1 + beta) log p_positive(y_t) - beta log p_negative(y_t) - log Z_t
//     loss    = -log sigmoid( gamma sum_t r_t(chosen) - gamma sum_t (1 - s_t) r_t(rejected) ),   r_t = log p_t - log p_ref,t
//
// Every stage writes its result to the run folder and is kept while nothing that decides it has changed; `stages.NAME`
// takes a file of your own in its place. The formulas are in src/preference, the stages in src/recipes/cdpo.
import { runCdpoRecipe } from "../src/recipes/cdpo/recipe.ts";
import { trainObjective } from "../src/training/index.ts";

await runCdpoRecipe(async (run) => {
  const responses = run.sample(); // N answers of the model to each question
  const judged = run.judge(responses); // right or wrong, by the final answer
  const models = run.contrastModels(judged); // one adapter learns right answers, one the usual wrong ones
  const pairs = run.pairs(judged); // the usual right answer is preferred to the usual wrong one
  const scored = run.score(pairs, models); // s_t and the reference's log-probability of every token

  const answers = { base: run.evaluate("base") };
  for (const arm of run.arms) {
    const aligned = run.align(arm, scored, async (learner) => {
      for await (const step of trainObjective(learner.state, learner.options)) await learner.record(step);
    });
    Object.assign(answers, { [arm.name]: run.evaluate(arm.name, aligned) });
  }
  await run.report(answers, scored);
});
