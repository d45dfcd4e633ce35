import { adapterContradictions, fillAdapter } from "../../config/adapter-group.ts";
import { armNameProblems } from "../../config/arm-names.ts";
import { tryCreate } from "../../config/catalogue.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import type {
  LearnedWeights,
  OrealArm,
  OrealConfig,
  OrealLearner,
  OrealObjective,
  OrealPreset,
  OrealWeights,
} from "./config-schema.ts";
import { orealSchema } from "./config-schema.ts";
import { reportContradictions } from "../../config/report-group.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { type Rename, renamedValues } from "../../config/renames.ts";
import { bestContradictions, fillBest, heldOutNumbers } from "../../config/best-keys.ts";
import { isModulePath, type MethodChoice } from "../../config/method-choice.ts";
import { metrics } from "../../evaluation/own-metric.ts";
import { rewards } from "../../reward/catalogue.ts";
import { serverContradictions } from "../../config/server-group.ts";
import { rules } from "../../selection/catalogue.ts";
import { fillShared } from "../../config/shared.ts";
import { optional } from "../../system/optional.ts";

/** What each preset stands for; weights without a source of their own start from `learnedWeights`. */
export interface OrealValues {
  readonly presets: Readonly<Record<OrealPreset, OrealObjective>>;
  readonly learnedWeights: OrealWeights;
}

type GivenWeights = Partial<Omit<LearnedWeights, "source">> & {
  source?: OrealWeights["source"];
  shuffled?: boolean;
  form?: "top" | "proportional";
  share?: number;
  rule?: MethodChoice;
};
type GivenObjective = Partial<Omit<OrealObjective, "weights" | "clip">> & {
  weights?: GivenWeights;
  clip?: OrealObjective["clip"] | "none";
};
type GivenArm = { objective?: GivenObjective } & Partial<Omit<OrealArm, "objective">>;

/** How an OREAL configuration is read. */
export function orealDefinition(values: OrealValues): ConfigDefinition<OrealConfig> {
  return {
    schema: orealSchema,
    alternatives: [],
    methods: [{ catalogue: rewards }, { catalogue: rules }, { catalogue: metrics }],
    renames: [{ key: "rollout", now: "sampling" }, ...["objective", "compare[].objective"].flatMap(renamesOfObjective)],
    finish(config, source) {
      const problems = fillIn(config, source, values);
      return [...problems, ...contradictions(config)];
    },
  };
}

function renamesOfObjective(objective: string): Rename[] {
  const values = {
    rewards: { zeroOne: "zero-one", plusMinusOne: "plus-minus-one" },
    advantage: { oneMinusP: "one-minus-p", batchMean: "batch-mean" },
    "weights.of": { runningMean: "running-mean" },
    positives: { policyGradient: "policy-gradient" },
    denominators: { bySign: "by-sign" },
  };
  return Object.entries(values).flatMap(([key, spellings]) => renamedValues([`${objective}.${key}`], spellings));
}

/** The configuration of one arm alone: what its run folder holds. */
export function armConfig(config: OrealConfig, { objective, ...arm }: OrealArm): OrealConfig {
  const { iterations, policySteps, policyFreeze, rewardSteps } = arm;
  const training = { ...config.training, iterations, policySteps };
  const own: OrealConfig = { ...config, objective, training, compare: [] };
  if (arm.rewards !== undefined) own.rewards = arm.rewards;
  delete training.policyFreeze;
  delete training.rewardSteps;
  if (usesRewardModel(objective)) Object.assign(training, { policyFreeze, rewardSteps });
  else delete own.rewardModel;
  return own;
}

/** The run's own objective as an arm. */
export function mainArm({ objective, rewards, training }: OrealConfig): OrealArm {
  const { iterations, policySteps, policyFreeze, rewardSteps } = training;
  const learns = usesRewardModel(objective) && optional({ policyFreeze, rewardSteps });
  return { name: "oreal", objective, ...optional({ rewards }), iterations, policySteps, ...learns };
}

/** Whether the objective needs a token reward model. */
export function usesRewardModel({ weights }: Pick<OrealObjective, "weights">): boolean {
  return weights.source === "learned" || weights.source === "shuffled";
}

function fillIn(config: OrealConfig, source: string, values: OrealValues): Problem[] {
  fillShared(config, source);
  const problems: Problem[] = [];
  const start = values.presets.recommended;
  const main = filled(config.objective, start, values, ["objective"], problems);
  config.objective = main;
  const given = config.compare as unknown as (OrealPreset | GivenArm)[];
  const { training } = config;
  fillBest(training, "exactMatch");
  const objectives = given.map((entry, index) => {
    const path = ["compare", index, "objective"];
    return typeof entry === "string"
      ? values.presets[entry]
      : filled(entry.objective ?? {}, main, values, path, problems);
  });
  const learns = [main, ...objectives].some(usesRewardModel);
  if (learns) {
    training.policyFreeze ??= Math.min(10, Math.floor(training.iterations / 2));
    training.rewardSteps ??= 1;
  }
  config.compare = given.map((entry, index) => {
    const own: Partial<GivenArm> = typeof entry === "string" ? {} : entry;
    const objective = objectives[index]!;
    if (!usesRewardModel(objective)) refuseUnused(own, ["policyFreeze", "rewardSteps"], ["compare", index], problems);
    const { iterations, policySteps } = { ...training, ...own };
    const { policyFreeze = training.policyFreeze!, rewardSteps = training.rewardSteps! } = own;
    const name = own.name ?? objective.preset;
    return {
      name,
      objective,
      ...optional({ rewards: own.rewards ?? config.rewards }),
      iterations,
      policySteps,
      ...(usesRewardModel(objective) && { policyFreeze, rewardSteps }),
    };
  });
  if (learns) config.rewardModel ??= defaultLearner();
  else {
    // settings of arms that were left out by --set compare=...
    delete training.policyFreeze;
    delete training.rewardSteps;
    delete config.rewardModel;
  }
  for (const learner of [config.policy, config.rewardModel]) {
    if (learner === undefined) continue;
    learner.warmupSteps ??= 0;
    fillAdapter(learner.adapter);
  }
  return problems;
}

function refuseUnused(group: object, keys: readonly string[], path: KeyPath, problems: Problem[]): void {
  for (const key of keys)
    if ((group as Record<string, unknown>)[key] !== undefined)
      problems.push({ path: [...path, key], message: "is not used: no token weights are learned here", atKey: true });
}

/** An objective in its long form. A preset that is named replaces what the objective would start from. */
function filled(
  given: GivenObjective,
  start: OrealObjective,
  { presets, learnedWeights }: OrealValues,
  path: KeyPath,
  problems: Problem[],
): OrealObjective {
  const refuse = (keys: KeyPath, message: string) => problems.push({ path: [...path, ...keys], message, atKey: true });
  const base = given.preset === undefined ? start : presets[given.preset];
  const { weights: own, ...rest } = given;
  const { kl = "squared", reference = "initial", ...all } = { ...base, ...rest };
  const { clip = "none", clipLow = 0.2, clipHigh = clipLow, ...others } = all;
  const weights = filledWeights(own ?? {}, base.weights, learnedWeights, (key, message) =>
    refuse(["weights", key], message),
  );
  if ("equal" in weights && weights.equal === "push" && others.normalizer === "weights")
    refuse(["normalizer"], "cannot be weights where weights.equal is push: it would divide by the scale");
  const unused = (keys: readonly (keyof GivenObjective)[], why: string): void => {
    for (const key of keys) if (given[key] !== undefined) refuse([key], `is not used: ${why}`);
  };
  if (clip === "none") unused(["clipLow", "clipHigh"], "nothing is clipped (clip is none)");
  if (others.klCoefficient === 0) unused(["kl", "reference"], "klCoefficient is 0");
  return {
    ...others,
    ...(clip !== "none" && { clip, clipLow, clipHigh }),
    ...(others.klCoefficient > 0 && { kl, reference }),
    weights,
  };
}

const weightKeys: Readonly<Record<OrealWeights["source"], readonly (keyof GivenWeights)[]>> = {
  none: [],
  learned: ["of", "scoreAt", "threshold", "topK"],
  shuffled: ["of", "scoreAt", "threshold", "topK"],
  entropy: ["form", "share"],
  rule: ["rule"],
};

function filledWeights(
  given: GivenWeights,
  base: OrealWeights,
  learned: OrealWeights,
  refuse: (key: string, message: string) => void,
): OrealWeights {
  const { source: named = base.source, shuffled: asked, ...options } = given;
  const isControl = named === "shuffled" || (base.source === named && "shuffled" in base && base.shuffled === true);
  const shuffled = named === "none" ? false : (asked ?? isControl);
  const learns = named === "learned" || named === "shuffled";
  const source = learns ? (shuffled ? "shuffled" : "learned") : named;
  for (const key of Object.keys(options) as (keyof GivenWeights)[]) {
    if (weightKeys[source].includes(key) || (key === "equal" && shuffled)) continue;
    const of = source === "learned" || key !== "equal" ? source : `${source}, not shuffled`;
    const why = key === "equal" && source !== "none" ? ", and only shuffled ones have something to keep equal" : "";
    refuse(key, `is not used: weights.source is ${of}${why}`);
  }
  if (source === "none") {
    if (asked === true) refuse("shuffled", "is not used: weights.source is none");
    return { source };
  }
  const before: Partial<GivenWeights> = base.source === named || (learns && base.source !== "none") ? base : {};
  const equal = options.equal ?? before.equal ?? "mass";
  const control = shuffled ? ({ shuffled: true, equal } as const) : {};
  if (source === "entropy") {
    const form = options.form ?? before.form ?? "top";
    if (form === "proportional" && options.share !== undefined) refuse("share", "is not used: form is proportional");
    return { source, form, ...(form === "top" && { share: options.share ?? before.share ?? 0.2 }), ...control };
  }
  if (source === "rule") {
    const rule = options.rule ?? before.rule;
    if (rule === undefined) refuse("source", "is rule, and weights.rule names none");
    return { source, rule: rule ?? { method: "full" }, ...control };
  }
  if (options.topK !== undefined && options.threshold !== undefined)
    refuse("threshold", "cannot be given together with topK; keep one");
  const start = ("of" in base ? base : learned) as LearnedWeights;
  const { of, scoreAt } = { ...start, ...options };
  const topK = options.topK ?? (options.threshold === undefined ? start.topK : undefined);
  const threshold = options.threshold ?? start.threshold ?? 0.5;
  return {
    source,
    ...(source === "shuffled" && { equal: options.equal ?? start.equal ?? "mass" }),
    of,
    scoreAt,
    ...(topK === undefined ? { threshold } : { topK }),
  };
}

function defaultLearner(): OrealLearner {
  const properties = orealSchema.properties.policy.properties as unknown as Record<string, { default?: unknown }>;
  const values = Object.entries(properties).flatMap(([key, schema]) =>
    "default" in schema ? [[key, schema.default]] : [],
  );
  return Object.fromEntries(values) as OrealLearner;
}

function contradictions(config: OrealConfig): Problem[] {
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
  const numbers = held ? heldOutNumbers(config.evaluation) : [];
  problems.push(...bestContradictions(training, ["training"], { numbers, own: metric !== undefined }));
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
    const at = [...(index === 0 ? [] : ["compare", index - 1]), "objective", "weights", "rule"];
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

/** Whether the log-probabilities of the model before training are computed. */
export function readsInitial({ klCoefficient, reference }: OrealObjective): boolean {
  return klCoefficient > 0 && reference === "initial";
}
