import { formatNumber } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { AnsweredProblem, Run } from "./run.ts";

const most = 8;

/** Answers before and after training beside each other, those first whose verdict has changed. */
export function answersSection({ main }: Run): Html | undefined {
  const answered = main.evaluations.filter(({ answers }) => answers.length > 0);
  const [first, last] = [answered[0], answered.find(({ step }) => step === main.savedStep) ?? answered.at(-1)];
  if (first === undefined || last === undefined || first === last) return undefined;
  const after = new Map(last.answers.map((answer) => [answer.row, answer]));
  const pairs = first.answers.flatMap((before) => {
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
      The likeliest answers of ${main.name} before training and after step ${formatNumber(last.step)}, to
      ${formatNumber(shown.length)} of the first ${formatNumber(pairs.length)} held-out problems. Of those, ${won} are
      right now that were wrong, and ${lost} wrong that were right; they come first. What differs is marked.
    </p>
    ${shown.map(pairHtml)}
  </section>`;
}

interface Pair {
  readonly before: AnsweredProblem;
  readonly now: AnsweredProblem;
}

function pairHtml({ before, now }: Pair): Html {
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
        <dt>Before: ${verdict(before)}</dt>
        <dd>${old}</dd>
      </div>
      <div>
        <dt>After: ${verdict(now)}</dt>
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
