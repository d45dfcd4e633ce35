// npx tsx trainers/cdpo.ts --config configs/cdpo/quickstart.yaml
//
// cDPO (https://arxiv.org/abs/2411.19943): direct preference optimisation in which a wrong answer's tokens weigh as much
// as they are critical. Not "conservative DPO", which smooths labels.
//
//     log s_t = (1 + beta) log p_positive(y_t) - beta log p_negative(y_t) - log Z_t
//     loss    = -log sigmoid( gamma sum_t r_t(chosen) - gamma sum_t (1 - s_t) r_t(rejected) ),   r_t = log p_t - log p_ref,t
//
// Every stage writes its result to the run folder and is kept while nothing that decides it has changed; `stages.NAME`
// takes a file of your own in its place, and stages that only it would have read are left out. The formulas are in
// src/preference, the stages in src/recipes/cdpo.
import { runRecipe, type Alignment } from "../src/recipes/index.ts";
import { hasGradient, lossGradient, partsOf, sumByName } from "../src/training/index.ts";

await runRecipe("cdpo", async (run) => {
  const responses = await run.sample(); // N answers of the model to each question
  const judged = await run.judge(responses); // right or wrong, by the final answer
  const models = await run.contrastModels(judged); // one adapter learns right answers, one the usual wrong ones
  const pairs = await run.pairs(judged); // the usual right answer is preferred to the usual wrong one
  const scored = await run.score(pairs, models); // log s_t and log p_ref,t of every token

  await run.evaluate("base"); // held-out problems, under the model as it was
  // The arms: cDPO, then the objectives of `compare`, each from the same model, pairs and seed.
  for (const arm of run.arms) {
    const aligned = await run.align(arm, scored, train);
    await run.evaluate(arm.name, aligned);
  }
});

/** One alignment. What differs between cDPO, DPO, RPO, ... is the arm's objective: src/preference. */
async function train(arm: Alignment): Promise<void> {
  const { learner, objective } = arm;
  for (const step of learner.steps()) {
    learner.startStep(step);
    // Micro-batches of the step's pairs, [rows, width] tokens each: chosen in row 2k, rejected in row 2k + 1. `aux` has
    // log p_ref,t and log s_t of every token.
    const batches = arm.batches(step);

    // What the sum over pairs is divided by, over the whole step: its pairs.
    const masses = sumByName(batches.map(({ batch, aux }) => objective.masses(batch, aux)));

    const parts = [];
    const metrics = [];
    let moves = false;
    for (const { batch, aux } of batches) {
      // Phase 1: log p_t of every response token. TDPO also reads KL(p_ref || p) where the token is predicted.
      const pass = learner.forward(batch);
      const signals = await pass.read(objective.reads);

      // What cDPO is:
      //     r_t    = log p_t - log p_ref,t                     log-ratio to the reference
      //     w_t    = 1 - s_t on rejected tokens, 1 on chosen   the most critical tokens weigh most; no gradient through it
      //     margin = gamma (sum of w_t r_t over chosen - sum of w_t r_t over rejected)
      //     loss   = -log sigmoid(margin)
      // and its gradient on log p_t: -gamma sigmoid(-margin) w_t on chosen tokens, the same with + on rejected ones.
      const evaluated = objective.evaluate(signals, batch, aux);
      parts.push(partsOf(evaluated.terms, masses));
      metrics.push(evaluated.metrics);

      // Phase 2: backward from the gradient on log p.
      const gradient = lossGradient(evaluated.terms, masses);
      moves ||= hasGradient(gradient);
      pass.backward(gradient);
      pass[Symbol.dispose]();
    }
    const update = moves ? await learner.update() : learner.skip(); // clip the gradient's norm, AdamW

    const sums = sumByName(parts);
    const loss = Object.values(sums).reduce((sum, part) => sum + part, 0);
    await arm.record(batches, { loss, parts: sums, metrics, ...update }); // log, save
  }
}
