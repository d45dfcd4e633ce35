import { formatNumber } from "./format.ts";
import { type Html, html } from "./html.ts";
import { answersIn } from "./read-arm.ts";
import { runObject } from "./run-files.ts";
import type { AnsweredProblem, Run } from "./run.ts";

const most = 8;

/** What stands beside each other, and in which words. */
export interface AnswerWords {
  /** Whose answers they are, up to a comma. */
  readonly lead: string;
  readonly labels: readonly [first: string, second: string];
  /** What is said of those that only the second, or only the first of them has right. */
  readonly changed: readonly [won: string, lost: string];
}

/** Answers before and after training beside each other, those first whose verdict has changed. */
export function answersSection({ main }: Run): Html | undefined {
  const answered = main.evaluations.filter(({ answers }) => answers.length > 0);
  const [first, last] = [answered[0], answered.find(({ step }) => step === main.savedStep) ?? answered.at(-1)];
  if (first === undefined || last === undefined || first === last) return undefined;
  return besideEachOther(first.answers, last.answers, {
    lead: `The likeliest answers of ${main.name} before training and after step ${formatNumber(last.step)},`,
    ...beforeAndAfter,
  });
}

export const beforeAndAfter = {
  labels: ["Before", "After"],
  changed: ["right now that were wrong", "wrong that were right"],
} as const;

/** The same of a recipe whose answers are no part of its evaluations: those of `answers.json`. */
export function storedAnswersSection({ path }: Run, words: AnswerWords): Html | undefined {
  const sides = runObject(path, "answers.json");
  const [before, after] = [sides?.["before"], sides?.["after"]].map(answersIn);
  return besideEachOther(before!, after!, words);
}

function besideEachOther(
  first: readonly AnsweredProblem[],
  second: readonly AnsweredProblem[],
  { lead, labels, changed }: AnswerWords,
): Html | undefined {
  const after = new Map(second.map((answer) => [answer.row, answer]));
  const pairs = first.flatMap((before) => {
    const now = after.get(before.row);
    return now === undefined ? [] : [{ before, now }];
  });
  if (pairs.length === 0) return undefined;
  const rank = ({ before, now }: Pair): number =>
    before.correct !== now.correct ? 0 : before.answer !== now.answer ? 1 : 2;
  const shown = pairs.toSorted((a, b) => rank(a) - rank(b)).slice(0, most);
  const count = (of: (pair: Pair) => boolean): string => formatNumber(pairs.filter(of).length);
  const won = count(({ before, now }) => !before.correct && now.correct);
  const lost = count(({ before, now }) => before.correct && !now.correct);
  return html`<section>
    <h2>Answers</h2>
    <p>
      ${lead} to ${formatNumber(shown.length)} of the first ${formatNumber(pairs.length)} held-out problems. Of those
      ${formatNumber(pairs.length)}, ${won} are ${changed[0]}, and ${lost} ${changed[1]}; they come first. What differs
      is marked.
    </p>
    ${shown.map((pair) => pairHtml(pair, labels))}
  </section>`;
}

interface Pair {
  readonly before: AnsweredProblem;
  readonly now: AnsweredProblem;
}

function pairHtml({ before, now }: Pair, [first, second]: AnswerWords["labels"]): Html {
  const [old, changed] = differing(before.answer, now.answer);
  const verdict = ({ correct }: AnsweredProblem): string => (correct ? "right" : "wrong");
  return html`<article class="answers">
    <h3>Row ${formatNumber(before.row)}</h3>
    <p class="prompt">${before.prompt}</p>
    <dl>
      <div>
        <dt>Reference</dt>
        <dd>${before.reference}</dd>
      </div>
      <div>
        <dt>${first}: ${verdict(before)}</dt>
        <dd>${old}</dd>
      </div>
      <div>
        <dt>${second}: ${verdict(now)}</dt>
        <dd>${changed}</dd>
      </div>
    </dl>
  </article>`;
}

/** Two texts with all marked that lies between the words with which both begin and those with which both end. */
export function differing(a: string, b: string): [Html, Html] {
  const [first, second] = [a, b].map((text) => text.split(/(?<=\s)/)) as [string[], string[]];
  const shorter = Math.min(first.length, second.length);
  let head = 0;
  while (head < shorter && first[head] === second[head]) head++;
  let tail = 0;
  while (tail < shorter - head && first.at(-1 - tail) === second.at(-1 - tail)) tail++;
  return [first, second].map((words) => {
    const middle = words.slice(head, words.length - tail).join("");
    return html`${words.slice(0, head).join("")}${middle === "" ? undefined : html`<mark>${middle}</mark>`}${words.slice(words.length - tail).join("")}`;
  }) as [Html, Html];
}
