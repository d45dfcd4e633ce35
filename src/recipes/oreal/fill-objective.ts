import type { MethodChoice } from "../../config/method-choice.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { type Rename, renamedValues } from "../../config/renames.ts";
import type { LearnedWeights, OrealObjective, OrealPreset, OrealWeights, OwnWeights } from "./objective-schema.ts";

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
  positive?: string;
  negative?: string;
  contrast?: number;
  plausibility?: number;
  column?: string;
};
export type GivenObjective = Partial<Omit<OrealObjective, "weights" | "clip">> & {
  weights?: GivenWeights;
  clip?: OrealObjective["clip"] | "none";
};

/** An objective in its long form. A preset that is named replaces what the objective would start from. */
export function filledObjective(
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
  const { advantageColumn, ...filled } = others;
  if (others.advantage !== "column") unused(["advantageColumn"], `advantage is ${others.advantage}`);
  else if (advantageColumn === undefined) refuse(["advantage"], "is column, and advantageColumn names none");
  if (others.advantage === "column" && others.positives === "cloning")
    refuse(
      ["positives"],
      "must be policy-gradient where advantage is column: what is cloned has no advantage of each token",
    );
  return {
    ...filled,
    ...(others.advantage === "column" && { advantageColumn: advantageColumn ?? "" }),
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
  "adapter-shift": [],
  critical: ["positive", "negative", "contrast", "plausibility"],
  rule: ["rule"],
  column: ["column"],
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
  if (source !== "learned" && source !== "shuffled")
    return { ...ownWeights(source, { options, before, refuse }), ...control };
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

/** Weights that no reward model learns, without their control. */
function ownWeights(
  source: OwnWeights["source"],
  given: { options: GivenWeights; before: GivenWeights; refuse: (key: string, message: string) => void },
): OwnWeights {
  const { options, refuse } = given;
  const {
    form = "top",
    share = 0.2,
    rule,
    column,
    positive,
    negative,
    contrast = 1,
    plausibility = 0,
  } = {
    ...given.before,
    ...options,
  };
  switch (source) {
    case "adapter-shift":
      return { source };
    case "entropy":
      if (form === "proportional" && options.share !== undefined) refuse("share", "is not used: form is proportional");
      return { source, form, ...(form === "top" && { share }) };
    case "rule":
      if (rule === undefined) refuse("source", "is rule, and weights.rule names none");
      return { source, rule: rule ?? { method: "full" } };
    case "column":
      if (column === undefined) refuse("source", "is column, and weights.column names none");
      return { source, column: column ?? "" };
    case "critical":
      if (positive === undefined || negative === undefined)
        refuse("source", "is critical, which needs two adapters: weights.positive and weights.negative");
      return { source, positive: positive ?? "", negative: negative ?? "", contrast, plausibility };
  }
}

/** Values of an objective that are spelled otherwise now. */
export function renamesOfObjective(objective: string): Rename[] {
  const values = {
    rewards: { zeroOne: "zero-one", plusMinusOne: "plus-minus-one" },
    advantage: { oneMinusP: "one-minus-p", batchMean: "batch-mean" },
    "weights.of": { runningMean: "running-mean" },
    positives: { policyGradient: "policy-gradient" },
    denominators: { bySign: "by-sign" },
  };
  return Object.entries(values).flatMap(([key, spellings]) => renamedValues([`${objective}.${key}`], spellings));
}
