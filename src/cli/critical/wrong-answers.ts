import { formatNumber } from "../../report/format.ts";
import { UserError } from "../../system/errors.ts";
import type { GivenAnswer } from "./answers.ts";

/** What was made of all answers. */
export interface ChosenAnswers {
  /** Wrong answers to search, in the order of their questions. */
  readonly wrong: readonly GivenAnswer[];
  readonly counts: {
    readonly answers: number;
    readonly questions: number;
    readonly right: number;
    readonly wrong: number;
    /** Cut off before their end: they have no answer that could be wrong. */
    readonly unfinished: number;
    /** Without an answer, or one that cannot be compared. */
    readonly unparsable: number;
  };
}

/**
 * The wrong answers that end and say something: of each question the first so many that differ.
 * @throws UserError where there is none
 */
export function chooseWrong(
  answers: readonly GivenAnswer[],
  { perQuestion, questions, where }: { perQuestion: number; questions: number; where: string },
): ChosenAnswers {
  const isWrong = ({ verdict, finished }: GivenAnswer): boolean => verdict === "wrong" && finished;
  const taken = new Map<number, Set<string>>();
  const wrong = answers.filter(isWrong).filter(({ rowId, ids }) => {
    const before = taken.get(rowId) ?? new Set();
    const name = ids.join(" ");
    if (!taken.has(rowId) && taken.size === questions) return false;
    if (before.size === perQuestion || before.has(name)) return false;
    taken.set(rowId, before.add(name));
    return true;
  });
  const count = (test: (answer: GivenAnswer) => boolean): number => answers.filter(test).length;
  const counts = {
    answers: answers.length,
    questions: new Set(answers.map(({ rowId }) => rowId)).size,
    right: count(({ verdict }) => verdict === "correct"),
    wrong: count(isWrong),
    unfinished: count(({ verdict, finished }) => verdict !== "correct" && !finished),
    unparsable: count(({ verdict, finished }) => finished && (verdict === "unparsable" || verdict === "timeout")),
  };
  if (wrong.length > 0) return { wrong, counts };
  throw new UserError("no-usable-rows", `there is no wrong answer among ${countsText(counts)}`, {
    where,
    fix: "Draw more (--rows, --samples), allow longer ones (--max-tokens), or give wrong ones: pairs with --answers data.",
  });
}

export function countsText({ answers, right, wrong, unfinished, unparsable }: ChosenAnswers["counts"]): string {
  const parts = [
    ...[`${formatNumber(right)} right`, `${formatNumber(wrong)} wrong`],
    ...(unfinished > 0 ? [`${formatNumber(unfinished)} cut off`] : []),
    ...(unparsable > 0 ? [`${formatNumber(unparsable)} without an answer that can be compared`] : []),
  ];
  return `${formatNumber(answers)} answers (${parts.join(", ")})`;
}
