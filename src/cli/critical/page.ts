import { recoveryModes, type Recovery } from "../../evaluation/critical/recovery.ts";
import { resultHtml } from "../../recipes/kit/results.ts";
import { answerRow } from "../../recipes/kit/token-rows.ts";
import { documentOf } from "../../report/document.ts";
import { curveSection, figure } from "../../report/figures.ts";
import { formatFixed, formatNumber } from "../../report/format.ts";
import { html, type Html } from "../../report/html.ts";
import type { JsonObject } from "../../report/run-files.ts";
import type { TokenWords } from "../../report/token-picture.ts";
import { picturesOf, type RowToDraw } from "../../report/tokens.ts";
import type { Tokenizer } from "../../text/index.ts";
import { criticalOf, type Findings, type SearchedAnswer } from "./findings.ts";
import { agreementTable, modeNames, recoveryTable } from "./results.ts";

const words: TokenWords = {
  ...{ prompt: "prompt", kept: "answer", dropped: "left out", noise: "critical token", weight: false },
};

/** What was found as one page. */
export function criticalPage(
  findings: Findings,
  {
    about,
    said,
    rollouts,
    tokenizer,
  }: { about: JsonObject; said: readonly string[]; rollouts: number; tokenizer: Pick<Tokenizer, "piece"> },
): string {
  const facts = ["model", "adapter", "data", "answers", "positive", "negative", "engine"].map(
    (key) => [key, typeof about[key] === "string" ? about[key] : undefined] as const,
  );
  const recovery = recoveryTable(findings);
  return documentOf(
    {
      title: "Critical tokens",
      finding: said[0]!,
      facts: [...facts, ["continuations", `${formatNumber(rollouts)} of each beginning`]],
    },
    {
      main: [
        html`<section>
          <h2>Results</h2>
          <p>
            A wrong answer is continued from behind each of its tokens. Its critical token is the first from which no
            continuation is right, and behind which fewer than 5 % are. Continuations that check it are others than
            those that found it.
          </p>
          ${recovery.rows.length > 0 ? resultHtml(recovery.columns, recovery.rows) : undefined}
          ${said.slice(1).map((sentence) => html`<p>${sentence}</p>`)}
        </section> `,
        agreementSection(findings),
        findings.recovery && passSection(findings.recovery),
        picturesSection(findings.answers, {
          title: "Answers",
          lead: "The bluer a token, the more of the continuations behind it are right. Point at a token for the share.",
          scoreName: "share of right continuations",
          scoreOf: ({ search }) => [...search.right],
          ...{ tokenizer, rollouts },
        }),
        findings.answers.some(({ scores }) => scores.logEstimate)
          ? picturesSection(findings.answers, {
              title: "What the contrast says",
              lead: "The same answers: the bluer a token, the more critical the contrast finds it.",
              scoreName: "1 − s",
              scoreOf: ({ scores }) => Array.from(scores.logEstimate!, (log) => -Math.expm1(log)),
              ...{ tokenizer, rollouts },
            })
          : undefined,
      ].map((section) => html`${section} `),
      footer: "Written by tokensift critical; results.json and answers.arrow beside it hold the numbers.",
    },
  );
}

function agreementSection({ found, decisive, agreements, decisiveAgreements }: Findings): Html | undefined {
  if (agreements.length === 0) return undefined;
  const table = (list: typeof agreements): Html => {
    const { columns, rows } = agreementTable(list);
    return resultHtml(columns, rows);
  };
  const some = decisive.length > 0 && decisive.length < found.length;
  return html`<section>
    <h2>Numbers of tokens that point at it</h2>
    <p>
      Over the tested tokens of answers with a critical token. AUC: how likely the critical token has a higher number
      than another one; 0.5 is chance. Highest: share of the answers in which no token has a higher one, ties shared. In
      brackets 95 % intervals when questions are drawn again; differences are taken on the same draws. The control is
      what the model's own probability says, without any contrast.
    </p>
    ${table(agreements)}
    ${
      some
        ? html`<p>The ${formatNumber(decisive.length)} decisive ones alone:</p>
            ${table(decisiveAgreements)}`
        : undefined
    }
  </section>`;
}

function passSection({ k, passAtK }: Recovery): Html | undefined {
  const modes = recoveryModes.toReversed();
  return curveSection(
    "With and without the critical token",
    "Chance that one of k continuations is right, unbiased, the mean over questions. Lines behind points are 95 % intervals.",
    [
      figure(
        modes.map((mode, style) => ({
          ...{ label: modeNames[mode], style },
          points: k.map((x, i) => ({ x: Math.log2(x), y: 100 * passAtK[mode][i]!.value })),
          intervals: k.map((x, i) => {
            const { low, high } = passAtK[mode][i]!;
            return { x: Math.log2(x), low: 100 * low, high: 100 * high };
          }),
        })),
        { description: "pass@k against the binary logarithm of k", x: "log2 of k", y: "% right", dots: true },
        "pass@k where the critical token stays, is left free, and must not come next.",
      ),
    ],
  );
}

interface Picturing {
  readonly title: string;
  readonly lead: string;
  readonly scoreName: string;
  readonly scoreOf: (answer: SearchedAnswer) => readonly number[];
  readonly tokenizer: Pick<Tokenizer, "piece">;
  readonly rollouts: number;
}

function picturesSection(
  answers: readonly SearchedAnswer[],
  { title, lead, scoreName, scoreOf, tokenizer, rollouts }: Picturing,
): Html {
  const rows = answers.map((answer): RowToDraw => {
    const score = scoreOf(answer).map((value) => (Number.isNaN(value) ? null : value));
    const row = answerRow(answer, tokenizer, { score, scoreName });
    const place = answer.search.critical?.place;
    const marks = [...answer.prompt.map(() => 0), ...answer.ids.map((_, t) => Number(t === place))];
    return { row: { ...row, noise: marks }, caption: captionOf(answer, { tokenizer, rollouts }), mostPrompt: 60 };
  });
  const { legend, drawn, leftOut } = picturesOf(rows, { mostRows: 24, range: [0, 1], words });
  return html`<section>
    <h2>${title}</h2>
    <p>
      The first answers, not chosen for their looks.
      ${lead}${leftOut > 0 ? ` ${formatNumber(leftOut)} answers are left out.` : ""}
    </p>
    ${legend} ${drawn}
  </section>`;
}

function captionOf(answer: SearchedAnswer, { tokenizer, rollouts }: Pick<Picturing, "tokenizer" | "rollouts">): string {
  const question = `Question ${formatNumber(answer.rowId)}`;
  const critical = criticalOf(answer, tokenizer);
  if (critical === undefined) return `${question}: no critical token was found`;
  const { place, probability } = critical;
  const { check } = answer.search.critical!;
  const checks = `right without it ${formatNumber(check.without)}, free ${formatNumber(check.free)}, with it ${formatNumber(check.with)} of ${formatNumber(rollouts)}`;
  return `${question}: token ${formatNumber(place + 1)} of ${formatNumber(answer.ids.length)}, probability ${formatFixed(probability, 2)}; ${checks}`;
}
