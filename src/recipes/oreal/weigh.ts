import { selectEntry } from "../../config/load-entry.ts";
import type { TokenRule, Tokens } from "../../contract/index.ts";
import { entropyWeights } from "../../reward/entropy-weights.ts";
import { shuffledWeights } from "../../reward/shuffled-weights.ts";
import { rules } from "../../selection/catalogue.ts";
import { highEntropy } from "../../selection/high-entropy.ts";
import { UserError } from "../../system/errors.ts";
import { hashUniform, stream } from "../../system/random.ts";
import { weighTogether } from "../../training/weigh.ts";
import type { OrealWeights } from "./objective-schema.ts";
import type { WeighedBatch } from "./iteration.ts";

/** Signals of kept responses that a rule may read; of `referenceNll`, where the objective computes the model before training. */
const readable = ["nll", "entropy", "referenceNll"] as const;
type Readable = (typeof readable)[number];

/** Gives the kept responses of an iteration their token weights, all at once. */
export type Weigh = (iteration: number, batches: readonly WeighedBatch[]) => readonly WeighedBatch[];

/**
 * Token weights that no reward model learns: of entropies, or of a selection rule. Batches stay as they are where there are
 * none such.
 * @param options.toInitial whether the reference's log-probabilities are those of the model before training
 * @throws UserError for a rule that cannot be made, or that reads what is not there
 */
export async function openWeights(
  weights: OrealWeights,
  { seed, toInitial }: { seed: number; toInitial: boolean },
): Promise<Weigh> {
  if (weights.source !== "entropy" && weights.source !== "rule") return (_, batches) => batches;
  const { equal } = weights;
  const weightsOf = weights.source === "entropy" ? entropySource(weights) : ofRule(await openRule());
  return (iteration, batches) => {
    if (batches.length === 0) return batches;
    const own = weightsOf(batches, iteration, seed);
    return batches.map((each, b) => {
      const { batch, aux, logProb } = each;
      const pushUnder = equal === "push" ? logProb : undefined;
      const shuffled = equal && shuffledWeights(own[b]!, batch, { seed, iteration, pushUnder });
      return { ...each, aux: { ...aux, weights: shuffled ?? own[b]! } };
    });
  };

  async function openRule(): Promise<TokenRule<Readable>> {
    const { rule: choice } = weights as Extract<OrealWeights, { source: "rule" }>;
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
}

type WeightsOf = (batches: readonly WeighedBatch[], iteration: number, seed: number) => Float32Array[];

function entropySource({ form, share }: Extract<OrealWeights, { source: "entropy" }>): WeightsOf {
  if (form === "proportional") return (batches) => batches.map(({ batch, entropy }) => entropyWeights(entropy, batch));
  return ofRule(highEntropy({ ratio: share! }));
}

/** A rule sees all kept responses together, as it may rank over the step. */
function ofRule(rule: TokenRule<Readable>): WeightsOf {
  return (batches, iteration, seed) => {
    const rows = batches.reduce((sum, { batch }) => sum + batch.rows, 0);
    const drawn = stream(seed, "token weights", iteration).below(2 ** 31);
    return weighTogether(rule, batches.map(tokensOf), {
      ...{ step: iteration, samplesSeen: iteration * rows },
      uniform: (row, token) => hashUniform(drawn, row, token),
    }).weights;
  };
}

function tokensOf({ batch, aux, logProb, entropy }: WeighedBatch): Tokens<Readable> {
  const { rows, width, rowIds, response, endOfTurn } = batch;
  const nll = logProb.map((value) => -value);
  const referenceNll = aux.referenceLogProb?.map((value) => -value) ?? nll;
  return { rows, width, rowIds, response, endOfTurn, signals: { nll, entropy, referenceNll } };
}
