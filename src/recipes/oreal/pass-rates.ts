import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { mean } from "../../evaluation/mean.ts";
import { UserError } from "../../system/errors.ts";
import { checkQuestions, givenResponse, readResponses, type Question } from "../kit/responses/index.ts";
import type { OrealConfig } from "./config-schema.ts";

/** OREAL's released program asks a question so often in an epoch, by its pass rate; from .8 on not at all. */
const released: readonly (readonly [below: number, times: number])[] = [
  [0.2, 6],
  [0.4, 4],
  [0.6, 4],
  [0.8, 2],
];

/** How often a question of this pass rate is asked in an epoch under the released program's schedule. */
export function timesAsked(passRate: number): number {
  return released.find(([below]) => passRate < below)?.[1] ?? 0;
}

/**
 * The questions of an epoch, each as often as its stored pass rate says; one without a rate is there once.
 * @param options.note told how many there are, and what is odd
 * @throws UserError for a file that cannot be used or is of other data, and where no question is left
 */
export function questionsByPassRate(
  questions: readonly Question[],
  { from, least, most, repeat }: NonNullable<OrealConfig["sampling"]["passRates"]>,
  { vocabularySize, note }: { vocabularySize: number; note: (sentence: string) => void },
): Question[] {
  const verdicts = new Map<number, number[]>();
  for (const path of passRateFiles(from)) {
    const responses = readResponses(path, { vocabularySize });
    const odd = checkQuestions(path, responses.map(givenResponse), questions);
    if (odd !== undefined) note(odd);
    for (const { rowId, verdict } of responses)
      verdicts.set(rowId, [...(verdicts.get(rowId) ?? []), Number(verdict === "correct")]);
  }
  const asked = questions.flatMap((question) => {
    const own = verdicts.get(question.rowId);
    if (own === undefined) return [question];
    const rate = mean(own);
    if (rate < least || rate > most) return [];
    return Array.from({ length: repeat === "released" ? timesAsked(rate) : 1 }, () => question);
  });
  if (asked.length === 0)
    throw new UserError("no-usable-rows", "The stored pass rates leave no question to ask.", {
      where: from,
      fix: "Widen sampling.passRates.least and most, or give other data.",
    });
  const unknown = questions.filter(({ rowId }) => !verdicts.has(rowId)).length;
  const distinct = new Set(asked).size;
  note(
    `By stored pass rates ${distinct} of ${questions.length} questions are asked, ${asked.length} times in an epoch` +
      `${unknown > 0 ? `; ${unknown} of them have no stored rate and are asked once` : ""}.`,
  );
  return asked;
}

/**
 * The judged responses of a run of OREAL, or a file of them.
 * @throws UserError for a folder without any
 */
export function passRateFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const folder = join(path, "trajectories");
  const names = readdirIfThere(folder).filter((name) => /^iteration-\d+\.arrow$/.test(name));
  if (names.length > 0) return names.sort().map((name) => join(folder, name));
  throw new UserError("no-run", "this run has no stored responses", {
    where: path,
    fix: "Name the folder of a run of OREAL, in which `trajectories` lies, or an Arrow file of judged responses.",
  });
}

function readdirIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
