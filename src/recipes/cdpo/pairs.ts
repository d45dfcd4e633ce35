import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { preferencePairs, type JudgedSample } from "../../preference/judged-samples.ts";
import type { GivenRow, Judged } from "../kit/responses/index.ts";
import { readPairs, writePairs, type ResponsePair } from "./files.ts";
import type { StageFile, StageResult } from "./stages.ts";
import { rowsFile, type CdpoWork } from "./work.ts";

/** Responses as the choice of pairs and contrast sets sees them. One that was cut off has no answer: it is left out. */
export function samplesOf(judged: readonly Judged[]): JudgedSample[] {
  return judged.map(({ rowId, ids, answer, verdict, finished }) => ({
    question: rowId,
    answer: answer === null || !finished ? null : comparable(answer),
    correct: verdict === "correct",
    length: ids.length,
  }));
}

/** Spellings of one number are one answer. */
function comparable(answer: string): string {
  const text = answer.trim().replaceAll(",", "").replace(/\.$/, "").replace(/^\$/, "");
  return text !== "" && Number.isFinite(Number(text)) ? String(Number(text)) : answer.trim();
}

/** Where pairs lie. */
export function pairFile(work: CdpoWork): StageFile<ResponsePair[]> {
  return rowsFile(work, "pairs", readPairs, pairRows);
}

/** Pairs of a right and a wrong response to the same question. */
export function pairStage(work: CdpoWork, judged: StageResult<Judged[]>): Promise<StageResult<ResponsePair[]>> {
  const { config } = work;
  const output = "stages/pairs.arrow";
  return work.stage({
    ...pairFile(work),
    needs: [judged],
    inputs: { pairs: config.pairs, seed: config.training.seed },
    output,
    async work() {
      const responses = await judged.load();
      const { perQuestion, maxPromptTokens = Infinity, maxTokens = Infinity } = config.pairs;
      const chosen = preferencePairs(samplesOf(responses), config.training.seed, { perQuestion }).map(
        ({ chosen, rejected }): ResponsePair => ({
          question: responses[chosen]!.rowId,
          chosen: responses[chosen]!,
          rejected: responses[rejected]!,
        }),
      );
      const fits = ({ chosen, rejected }: ResponsePair) =>
        chosen.prompt.length <= maxPromptTokens &&
        [chosen, rejected].every(({ prompt, ids }) => prompt.length + ids.length <= maxTokens);
      const pairs = chosen.filter(fits);
      if (pairs.length === 0)
        throw new UserError(
          "no-usable-rows",
          "no question has both a right and a wrong answer, so there is no pair to learn from",
          {
            fix: "Draw more responses (sampling.samples), or at another sampling.temperature.",
          },
        );
      work.reporterOf("pairs").note(`pairs: ${pairs.length}; ${chosen.length - pairs.length} were too long.`);
      writePairs(join(work.run.path, output), pairs);
    },
  });
}

/** Pairs as rows of a file. */
export const pairRows = {
  noun: "pair",
  of: ({ question, chosen, rejected }: ResponsePair): GivenRow => ({ question, texts: [chosen, rejected] }),
};

/** What is odd about the ends of responses, in sentences: cut before the end of text, or ended twice. */
export function oddEnds(pairs: readonly ResponsePair[], endOfText: readonly number[]): string[] {
  const responses = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const ends = (id: number | undefined): boolean => id !== undefined && endOfText.includes(id);
  const cut = responses.filter(({ ids }) => !ends(ids.at(-1))).length;
  const twice = responses.filter(({ ids }) => ends(ids.at(-1)) && ends(ids.at(-2))).length;
  const of = (count: number): string => `${count} of ${responses.length} responses`;
  return [
    ...(cut > 0
      ? [`${of(cut)} do not end with the end-of-text token: the model will not learn to stop from them.`]
      : []),
    ...(twice > 0 ? [`${of(twice)} end with the end-of-text token twice, as from a chat template that adds it.`] : []),
  ];
}
