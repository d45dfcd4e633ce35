import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { preferencePairs, type JudgedSample } from "../../preference/judged-samples.ts";
import type { TokenizedPair } from "../kit/pair-tokens.ts";
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
  const file = rowsFile(work, "pairs", readPairs, pairRows);
  return {
    ...file,
    async read(path, note) {
      const pairs = await file.read(path, note);
      if (work.weighed) requireWeights(pairs, path);
      return pairs;
    },
  };
}

function requireWeights(pairs: readonly ResponsePair[], path: string): void {
  for (const side of ["chosen", "rejected"] as const)
    if (pairs.some((pair) => pair[side].weights === undefined))
      throw new UserError("missing-column", `the column ${side}_weights is missing or empty`, {
        where: path,
        fix: "An objective reads a weight of every response token; give the column, or another align.objective.method.",
      });
}

/** Pairs of a right and a wrong response to the same question, or those of the data. */
export function pairStage(work: CdpoWork, judged: StageResult<Judged[]>): Promise<StageResult<ResponsePair[]>> {
  const { config, given, inputs } = work;
  const output = "stages/pairs.arrow";
  const { perQuestion, ...limits } = config.pairs;
  return work.stage({
    ...pairFile(work),
    ...(given
      ? { inputs: { pairs: limits, data: inputs.identity["data"] } }
      : { needs: [judged], inputs: { pairs: config.pairs, seed: config.training.seed } }),
    output,
    async work() {
      const { maxPromptTokens = Infinity, maxTokens = Infinity } = limits;
      const chosen = given?.map(givenPair) ?? drawnPairs(await judged.load(), config.training.seed, perQuestion);
      const fits = ({ chosen, rejected }: ResponsePair) =>
        chosen.prompt.length <= maxPromptTokens &&
        [chosen, rejected].every(({ prompt, ids }) => prompt.length + ids.length <= maxTokens);
      const pairs = chosen.filter(fits);
      if (pairs.length === 0)
        throw chosen.length > 0
          ? new UserError("no-usable-rows", `all ${chosen.length} pairs are too long`, {
              where: "pairs.maxPromptTokens, pairs.maxTokens",
              fix: "Raise them, or leave them out.",
            })
          : new UserError(
              "no-usable-rows",
              "no question has both a right and a wrong answer, so there is no pair to learn from",
              { fix: "Draw more responses (sampling.samples), or at another sampling.temperature." },
            );
      work.reporterOf("pairs").note(`pairs: ${pairs.length}; ${chosen.length - pairs.length} were too long.`);
      writePairs(join(work.run.path, output), pairs);
    },
  });
}

function givenPair({ rowId, chosen, rejected }: TokenizedPair): ResponsePair {
  return { question: rowId, chosen, rejected };
}

function drawnPairs(responses: readonly Judged[], seed: number, perQuestion: number): ResponsePair[] {
  return preferencePairs(samplesOf(responses), seed, { perQuestion }).map(({ chosen, rejected }) => ({
    question: responses[chosen]!.rowId,
    chosen: responses[chosen]!,
    rejected: responses[rejected]!,
  }));
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
