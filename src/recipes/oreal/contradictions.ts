import { adapterContradictions } from "../../config/adapter-group.ts";
import { armNameProblems } from "../../config/arm-names.ts";
import { bestContradictions, measuredOnTheWay } from "../../config/best-keys.ts";
import { tryCreate } from "../../config/catalogue.ts";
import { isModulePath, type MethodChoice } from "../../config/method-choice.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { reportContradictions } from "../../config/report-group.ts";
import { serverContradictions } from "../../config/server-group.ts";
import { rewards } from "../../reward/catalogue.ts";
import { rules } from "../../selection/catalogue.ts";
import { mainArm, readsInitial, usesRewardModel } from "./arm-config.ts";
import type { OrealArm, OrealConfig } from "./config-schema.ts";

/** What of a configuration, with its defaults filled in, does not go together. */
export function contradictions(config: OrealConfig): Problem[] {
  const { training, policy, rewardModel, compare } = config;
  const problems: Problem[] = reportContradictions(config.report);
  const refuse = (path: KeyPath, message: string) => problems.push({ path, message });
  for (const [name, learner] of Object.entries({ policy, rewardModel }))
    problems.push(...adapterContradictions(learner?.adapter, [name, "adapter"]));
  for (const [name, learner] of Object.entries({ policy, rewardModel }))
    if (learner !== undefined && learner.minimumLearningRate > learner.learningRate)
      refuse([name, "minimumLearningRate"], `must be at most ${name}.learningRate (${learner.learningRate})`);
  const frozen = ({ iterations, policyFreeze = 0 }: { iterations: number; policyFreeze?: number | undefined }) =>
    policyFreeze >= iterations;
  const compares = ({ objective: { keep, advantage } }: Pick<OrealArm, "objective">): boolean =>
    keep !== "none" || ["rloo", "grpo", "group-mean"].includes(advantage);
  if (config.sampling.samples < 2 && [config, ...compare].some(compares))
    refuse(["sampling", "samples"], "must be at least 2: a single response has no other to be compared with");
  const held = config.data.validation !== undefined;
  const { metric } = config.evaluation;
  const measured = held ? measuredOnTheWay(config.evaluation) : { numbers: [] };
  problems.push(...bestContradictions(training, ["training"], measured));
  if (metric !== undefined && !held) refuse(["evaluation", "metric"], "needs held-out rows: give data.validation");
  if (config.sampling.replay === config.output)
    refuse(["sampling", "replay"], "is the run folder itself; name another output");
  const { server, replay, passRates, dynamic } = config.sampling;
  if (passRates !== undefined && replay !== undefined)
    refuse(["sampling", "passRates"], "is not used: the responses of sampling.replay are learnt from");
  const filters = [config, ...compare].some(({ objective: { keep } }) => keep !== "none");
  if (dynamic !== undefined && !filters)
    refuse(["sampling", "dynamic"], "is not used: every objective learns from all questions (keep is none)");
  if (passRates !== undefined && passRates.least > passRates.most)
    refuse(["sampling", "passRates", "least"], `must be at most sampling.passRates.most (${passRates.most})`);
  const adapter = policy.adapter !== undefined;
  problems.push(...serverContradictions(server, ["sampling", "server"], { model: config.model, adapter }));
  if (server !== undefined && replay !== undefined)
    refuse(["sampling", "server"], "is not used: the responses of sampling.replay are learnt from");
  if (usesRewardModel(config.objective) && frozen(training))
    refuse(
      ["training", "policyFreeze"],
      `must be below the iterations (${training.iterations}), or the policy never learns`,
    );
  for (const [index, arm] of compare.entries())
    if (frozen(arm))
      refuse(
        ["compare", index],
        `keeps the policy frozen for all of its ${arm.iterations} iterations: lower policyFreeze`,
      );
  problems.push(...rewardProblems(config.rewards, ["rewards"]));
  for (const [index, arm] of compare.entries())
    problems.push(...rewardProblems(arm.rewards, ["compare", index, "rewards"]));
  for (const [index, { objective }] of [config, ...compare].entries()) {
    const own = [...(index === 0 ? [] : ["compare", index - 1]), "objective"];
    const { source } = objective.weights;
    if (source === "adapter-shift" && !adapter)
      refuse([...own, "weights", "source"], "is adapter-shift, which needs policy.adapter");
    const stored = "is column, which stored responses have: give sampling.replay";
    if (source === "column" && replay === undefined) refuse([...own, "weights", "source"], stored);
    if (objective.advantage === "column" && replay === undefined) refuse([...own, "advantage"], stored);
    const at = [...own, "weights", "rule"];
    const { problem } = "rule" in objective.weights ? tryCreate(rules, objective.weights.rule, at) : {};
    if (problem) problems.push(problem);
  }
  if (training.stopAtKl !== undefined) problems.push(...withoutKl(config));
  const arms = compare.map(({ name }, index) => ({ name, path: ["compare", index] }));
  problems.push(...armNameProblems(arms, [mainArm(config).name]));
  return problems;
}

/** Rewards that cannot be made; of the user's own, what stands beside the options of its function. */
function rewardProblems(choices: readonly MethodChoice[] = [], path: KeyPath): Problem[] {
  return choices.flatMap((choice, index) => {
    const here = [...path, index];
    const { problem } = tryCreate(rewards, choice, here);
    if (!isModulePath(choice.method)) return problem ? [problem] : [];
    const { weight = 1, timeLimit = 1 } = choice;
    return [
      ...(Number.isFinite(weight) ? [] : [{ path: [...here, "weight"], message: "must be a number" }]),
      ...(Number(timeLimit) > 0 && Number(timeLimit) < 2 ** 31
        ? []
        : [{ path: [...here, "timeLimit"], message: "must be a time in milliseconds, above 0" }]),
    ];
  });
}

/** Arms that cannot tell how far they are from the model before training. */
function withoutKl(config: OrealConfig): Problem[] {
  const path = ["training", "stopAtKl"];
  const arms = [mainArm(config), ...config.compare].filter(({ objective }) => !readsInitial(objective));
  return [
    ...arms.map(({ name }) => ({
      path,
      message: `needs the KL to the initial model, which ${name} does not compute: give its objective a klCoefficient above 0 and reference: initial`,
    })),
    ...(config.sampling.replay === undefined
      ? []
      : [{ path, message: "cannot be told from replayed responses, which another policy has drawn" }]),
  ];
}
