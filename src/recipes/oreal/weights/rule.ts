import { selectEntry } from "../../../config/load-entry.ts";
import type { MethodChoice } from "../../../config/method-choice.ts";
import type { TokenRule, Tokens } from "../../../contract/index.ts";
import { entropyWeights } from "../../../reward/proportional-weights.ts";
import { rules } from "../../../selection/catalogue.ts";
import { highEntropy } from "../../../selection/high-entropy.ts";
import { UserError } from "../../../system/errors.ts";
import { hashUniform, stream } from "../../../system/random.ts";
import { weighTogether } from "../../../training/weigh.ts";
import type { WeighedBatch } from "../iteration.ts";
import type { OrealWeights } from "../objective-schema.ts";
import type { WeightsOf } from "./source.ts";

/** Signals of kept responses that a rule may read; of `referenceNll`, where the objective computes the model before training. */
const readable = ["nll", "entropy", "referenceNll"] as const;
type Readable = (typeof readable)[number];

/** @throws UserError for a rule that cannot be made, or that reads what is not there */
export async function openRule(choice: MethodChoice, toInitial: boolean): Promise<TokenRule<Readable>> {
  const rule = await selectEntry(rules, choice, process.cwd());
  const known: readonly string[] = toInitial ? readable : readable.slice(0, 2);
  const missing = rule.needs.filter((signal) => !known.includes(signal));
  if (missing.length > 0)
    throw new UserError("missing-signal", `The rule ${rule.name} reads ${missing.join(", ")}.`, {
      where: "objective.weights.rule",
      fix: `Token weights of answers are made of ${known.join(", ")}${
        missing.includes("referenceNll") ? " (referenceNll with klCoefficient above 0 and reference: initial)" : ""
      }.`,
    });
  return rule as TokenRule<Readable>;
}

/** A rule sees all kept responses together, as it may rank over the step. */
export function ruleSource(rule: TokenRule<Readable>, seed: number): WeightsOf {
  return ({ iteration }, batches) => {
    const rows = batches.reduce((sum, { batch }) => sum + batch.rows, 0);
    const drawn = stream(seed, "token weights", iteration).below(2 ** 31);
    return weighTogether(rule, batches.map(tokensOf), {
      ...{ step: iteration, samplesSeen: iteration * rows },
      uniform: (row, token) => hashUniform(drawn, row, token),
    }).weights;
  };
}

/** The policy's entropy: the tokens of highest entropy, or each in proportion. */
export function entropySource({ form, share }: Extract<OrealWeights, { source: "entropy" }>, seed: number): WeightsOf {
  if (form === "top") return ruleSource(highEntropy({ ratio: share! }), seed);
  return (_, batches) => batches.map(({ batch, entropy }) => entropyWeights(entropy, batch));
}

function tokensOf({ batch, aux, logProb, entropy }: WeighedBatch): Tokens<Readable> {
  const { rows, width, rowIds, response, endOfTurn } = batch;
  const nll = logProb.map((value) => -value);
  const referenceNll = aux.referenceLogProb?.map((value) => -value) ?? nll;
  return { rows, width, rowIds, response, endOfTurn, signals: { nll, entropy, referenceNll } };
}
