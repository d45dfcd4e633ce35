import { UserError } from "../system/errors.ts";
import { stream } from "../system/random.ts";
import { intervalOfDraws, type PairedComparison } from "./paired-bootstrap.ts";
import { normalQuantile, studentQuantile } from "./student-quantile.ts";
import { studentTail } from "./student-tail.ts";

/**
 * Bootstrap of a difference over seeds and over problems: each draw takes seeds with replacement, and problems with
 * replacement, the same ones in all of its seeds as they are the same in fact. The interval is that of percentiles, from
 * 2.5 to 97.5.
 *
 * A few seeds vary less than all seeds do, and draws of them less again: how far a draw's seeds are from all of them by
 * their means is widened by `sqrt(n / (n - 1)) t / z` (t and z: the 97.5th percentiles of Student's distribution with
 * n - 1 degrees of freedom and of the normal one): 2.7 for three seeds, 1.6 for five. Of one seed interval and `p` tell
 * about other problems alone.
 *
 * Draws of few seeds say nothing of small probabilities, which corrections for many comparisons need. So `p` is that of
 * Student's t: the difference over the root of the sum of two variances, that of the seeds' means over n and that of the
 * problems' means over their number, with the degrees of freedom of Welch and Satterthwaite. Where nothing varies it is 0,
 * or 1 for no difference.
 *
 * @param differences of two methods: a list for each seed, with one number per problem; the same problems in each, in
 *   the same order. One number per seed where nothing is known of single problems.
 * @param options.weights one per problem, the tokens of a mean over tokens for example; default all the same
 * @throws UserError for no seeds or problems, lists of different lengths, numbers that are not finite
 * @example
 * import { seedBootstrap } from "tokensift/evaluation";
 *
 * // five seeds, nothing known of single problems: all above 0, one of them barely
 * const seeds = [[0.04], [0.03], [0.05], [0.001], [0.03]];
 * const { difference, low } = seedBootstrap(seeds, { seed: 1 });
 * difference; //=> 0.0302
 * low > 0 && low < 0.015; //=> true
 */
export function seedBootstrap(
  differences: readonly (readonly number[])[],
  options: { weights?: readonly number[]; resamples?: number; seed?: number } = {},
): PairedComparison {
  const problems = differences[0]?.length ?? 0;
  const { weights = new Array<number>(problems).fill(1), resamples = 10_000, seed = 0 } = options;
  check(differences, weights);
  const seeds = differences.length;
  const draw = stream(seed, "seeds and problems");
  const means = new Float64Array(resamples);
  const times = new Float64Array(problems); // how often a problem was drawn, times its weight
  const takenSeeds = new Uint32Array(seeds);
  const total = weights.reduce((sum, value) => sum + value, 0);
  const seedMeans = differences.map((list) => dot(list, weights) / total);
  const difference = seedMeans.reduce((sum, value) => sum + value, 0) / seeds;
  const widening = seeds < 2 ? 1 : (Math.sqrt(seeds / (seeds - 1)) * studentQuantile(seeds - 1)) / normalQuantile;
  for (let r = 0; r < resamples; r++) {
    times.fill(0);
    takenSeeds.fill(0);
    for (let i = 0; i < problems; i++) {
      const at = problems === 1 ? 0 : draw.below(problems);
      times[at]! += weights[at]!;
    }
    for (let s = 0; s < seeds; s++) takenSeeds[draw.below(seeds)]!++;
    const mass = times.reduce((sum, value) => sum + value, 0);
    let [drawn, bySeeds] = [0, 0];
    for (let s = 0; s < seeds; s++) {
      if (takenSeeds[s] === 0) continue;
      drawn += takenSeeds[s]! * dot(differences[s]!, times);
      bySeeds += takenSeeds[s]! * seedMeans[s]!;
    }
    means[r] = drawn / (seeds * mass) + (widening - 1) * (bySeeds / seeds - difference);
  }
  const { low, high } = intervalOfDraws(means);
  const shares = weights.map((weight) => weight / total);
  return { difference, low, high, p: probability(differences, shares, { seedMeans, difference }) };
}

/** @param shares of the problems in a mean over them */
function probability(
  differences: readonly (readonly number[])[],
  shares: readonly number[],
  { seedMeans, difference }: { seedMeans: readonly number[]; difference: number },
): number {
  const [seeds, problems] = [seedMeans.length, shares.length];
  const squares = (deviations: readonly number[]): number => deviations.reduce((sum, value) => sum + value * value, 0);
  const bySeeds = seeds > 1 ? squares(seedMeans.map((mean) => mean - difference)) / (seeds * (seeds - 1)) : 0;
  const pulls = shares.map((share, i) => {
    const mean = differences.reduce((sum, list) => sum + list[i]!, 0) / seeds;
    return share * (mean - difference);
  });
  const byProblems = problems > 1 ? (squares(pulls) * problems) / (problems - 1) : 0;
  const variance = bySeeds + byProblems;
  if (variance === 0) return difference === 0 ? 1 : 0;
  const terms = [
    [bySeeds, seeds - 1],
    [byProblems, problems - 1],
  ] as const;
  const freedom = variance ** 2 / terms.reduce((sum, [part, of]) => sum + (part > 0 ? part ** 2 / of : 0), 0);
  return studentTail(difference / Math.sqrt(variance), freedom);
}

function dot(a: readonly number[], b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function check(differences: readonly (readonly number[])[], weights: readonly number[]): void {
  const [first] = differences;
  if (first === undefined || first.length === 0)
    throw new UserError("no-rows", "A bootstrap needs at least one seed and one problem.");
  differences.forEach((list, s) => {
    if (list.length !== first.length)
      throw new UserError("wrong-shape", `Each seed needs the same problems: ${first.length} and ${list.length}.`);
    const wrong = list.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0)
      throw new UserError("not-finite", `the difference is ${list[wrong]}`, { where: `seed ${s}, problem ${wrong}` });
  });
  if (weights.length !== first.length)
    throw new UserError("wrong-shape", `There are ${weights.length} weights for ${first.length} problems.`);
  if (!weights.every((weight) => weight > 0 && Number.isFinite(weight)))
    throw new UserError("invalid-weight", "A problem's weight must be a finite number above 0.");
}
