import { permutation } from "../../data/epoch-order.ts";
import type { Question } from "../kit/responses/index.ts";

/**
 * The questions of an iteration: a new seeded order in each epoch, none twice in an iteration; what is left over at the
 * end of an epoch is left out of it.
 * @param questions of an epoch; one that is there several times is asked as often
 */
export function questionsOfIteration(
  questions: readonly Question[],
  perStep: number,
  { seed, iteration }: { seed: number; iteration: number },
): Question[] {
  const distinct = new Set(questions).size;
  const count = Math.min(perStep, distinct);
  if (distinct < questions.length) return amongRepeated(questions, count, { seed, iteration });
  const steps = Math.floor(questions.length / count);
  const order = permutation(questions.length, seed, "questions", Math.floor(iteration / steps));
  const first = (iteration % steps) * count;
  return Array.from(order.subarray(first, first + count), (index) => questions[index]!);
}

/** Epochs of questions of which some come again: one that an iteration has already is put off to the next. */
function amongRepeated(
  questions: readonly Question[],
  count: number,
  { seed, iteration }: { seed: number; iteration: number },
): Question[] {
  let left = iteration;
  for (let epoch = 0; ; epoch++) {
    let waiting = Array.from(permutation(questions.length, seed, "questions", epoch), (index) => questions[index]!);
    for (;;) {
      const asked = new Set<Question>();
      const later: Question[] = [];
      for (const question of waiting) {
        if (asked.size < count && !asked.has(question)) asked.add(question);
        else later.push(question);
      }
      if (asked.size < count) break;
      if (left-- === 0) return [...asked];
      waiting = later;
    }
  }
}

/**
 * The questions of a round of an iteration: those of `questionsOfIteration` in the first, then others in a seeded order, none
 * twice in the iteration; none where all have been asked.
 * @param round from 0
 */
export function questionsOfRound(
  questions: readonly Question[],
  perStep: number,
  { round, ...of }: { seed: number; iteration: number; round: number },
): Question[] {
  const first = questionsOfIteration(questions, perStep, of);
  if (round === 0) return first;
  const others = [...new Set(questions)].filter((question) => !first.includes(question));
  const order = permutation(others.length, of.seed, "dynamic", of.iteration);
  const start = (round - 1) * first.length;
  return Array.from(order.subarray(start, start + first.length), (index) => others[index]!);
}
