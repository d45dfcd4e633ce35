import type { Row } from "../data/dataset.ts";
import type { LeftOut } from "./row-length.ts";

/** What a person should know of the rows of a trial before trusting it, a sentence each. */
export function remarksOn(
  { trained, heldOut }: { trained: readonly Row[]; heldOut: readonly Row[] },
  leftOut: readonly LeftOut[],
): string[] {
  const known = new Set(trained.map(textOf));
  const seen = heldOut.filter((row) => known.has(textOf(row))).length;
  return [
    ...leftOut.filter(({ rows }) => rows > 0).map(leftOutText),
    ...(known.size === 1 ? [`all ${trained.length} rows to train are equal: the trial tells nothing of others`] : []),
    ...(seen > 0
      ? [
          `${seen} of ${heldOut.length} held-out rows are rows to train as well: their loss tells what was learnt by heart`,
        ]
      : []),
  ];
}

const leftOutText = ({ name, rows, maxTokens }: LeftOut): string =>
  `${name}: ${rows} rows of more than ${maxTokens} tokens are left out (--max-tokens)`;

/** What makes two rows the same: their texts, or the tokens that they were given as. */
function textOf({ messages, prompt, response, tokens }: Row): string {
  return JSON.stringify(tokens ? [...tokens.ids] : (messages ?? [prompt, response]));
}

const says = /(^|[_\W]|is)(correct|right|valid|good|ok)([_\W]|$)/i;

/**
 * A word on labels that seem to say what is right, where they are read as saying what is wrong.
 * @param wrong response tokens of the judged rows, and those that the labels call wrong
 */
export function turnedRound(column: string, { tokens, wrong }: { tokens: number; wrong: number }): string[] {
  const most = wrong > tokens / 2;
  if (!most && !says.test(column)) return [];
  const why = most ? `calls ${Math.round((100 * wrong) / tokens)} % of the tokens wrong` : "seems to say what is right";
  return [
    `the column "${column}" ${why}: --labels says what is wrong, true and 1 mark errors; turn the column round if it means the opposite`,
  ];
}
