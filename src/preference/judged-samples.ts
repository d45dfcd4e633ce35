/**
 * Preference pairs and contrast sets from sampled solutions that a judge has marked (https://arxiv.org/abs/2411.19943).
 * Ours: ties go to the answer seen first, samples without an answer or tokens are left out, and each question draws
 * from its own random stream, so that one question more never changes another's pair.
 */
import { stream } from "../system/random.ts";
import { refuse } from "../system/refuse-option.ts";

/** One sampled solution. */
export interface JudgedSample {
  readonly question: number | string;
  /** The final answer in the form in which answers are compared; `null` if none was found. */
  readonly answer: string | null;
  readonly correct: boolean;
  /** Response tokens. */
  readonly length: number;
}

/** A pair of one question's samples, as indices into the array of samples. */
export interface SampledPair {
  readonly question: number | string;
  readonly chosen: number;
  readonly rejected: number;
}

/**
 * Pairs of every question with both kinds: a random solution of the most frequent correct answer is preferred to a
 * random one of the most frequent wrong answer. In the order in which questions first appear.
 *
 * @param options.perQuestion so many different pairs of a question, or all there are; the first are the same for any
 * number. Default 1, as in the paper
 * @see https://arxiv.org/abs/2411.19943
 */
export function preferencePairs(
  samples: readonly JudgedSample[],
  seed: number,
  { perQuestion = 1 }: { perQuestion?: number } = {},
): SampledPair[] {
  if (!(Number.isSafeInteger(perQuestion) && perQuestion > 0)) refuse("perQuestion", perQuestion, "1 or more");
  return byQuestion(samples).flatMap(({ question, correct: [chosen = []], wrong: [rejected = []] }) => {
    const random = stream(seed, "preference-pair", question);
    const left = chosen.flatMap((c) => rejected.map((r) => ({ question, chosen: c, rejected: r })));
    const count = Math.min(perQuestion, left.length);
    return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0]!);
  });
}

export interface ContrastSetOptions {
  /** Wrong answers are taken, the most frequent first, until they cover this share of the wrong samples. Default 0.5. */
  readonly coverage?: number;
  /** Take an answer seen once only if it is the most frequent, as the released program does. Default false. */
  readonly skipSingleAnswers?: boolean;
}

/**
 * What the two contrasted models train on, as indices into `samples`: `positive` has one random correct solution per
 * question, `negative` one random solution of every wrong answer taken.
 *
 * @throws UserError for an impossible coverage
 * @see https://arxiv.org/abs/2411.19943
 */
export function contrastSets(
  samples: readonly JudgedSample[],
  seed: number,
  { coverage = 0.5, skipSingleAnswers = false }: ContrastSetOptions = {},
): { positive: number[]; negative: number[] } {
  if (!(coverage > 0 && coverage <= 1)) refuse("coverage", coverage, "above 0 and at most 1");
  const [positive, negative]: [number[], number[]] = [[], []];
  for (const { question, correct, wrong } of byQuestion(samples)) {
    const all = correct.flat().sort((a, b) => a - b);
    if (all.length > 0) positive.push(all[stream(seed, "positive-model", question).below(all.length)]!);
    const target = coverage * wrong.flat().length - 1e-9;
    const random = stream(seed, "negative-model", question);
    let covered = 0;
    for (const [place, group] of wrong.entries()) {
      if (covered >= target) break;
      covered += group.length;
      const sample = group[random.below(group.length)]!;
      if (!(skipSingleAnswers && group.length === 1 && place > 0)) negative.push(sample);
    }
  }
  return { positive, negative };
}

/** Usable samples by question, then by answer, the most frequent answer first. */
function byQuestion(
  samples: readonly JudgedSample[],
): { question: number | string; correct: number[][]; wrong: number[][] }[] {
  const usable = samples.map((_, i) => i).filter((i) => samples[i]!.answer !== null && samples[i]!.length > 0);
  const answersOf = (places: number[], correct: boolean) => {
    const right = places.filter((i) => samples[i]!.correct === correct);
    return grouped(right, (i) => samples[i]!.answer!)
      .map(([, group]) => group)
      .sort((a, b) => b.length - a.length);
  };
  return grouped(usable, (i) => samples[i]!.question).map(([question, places]) => ({
    question,
    correct: answersOf(places, true),
    wrong: answersOf(places, false),
  }));
}

function grouped<K>(places: readonly number[], key: (i: number) => K): [K, number[]][] {
  const groups = new Map<K, number[]>();
  for (const i of places) {
    const group = groups.get(key(i));
    if (group) group.push(i);
    else groups.set(key(i), [i]);
  }
  return [...groups];
}
