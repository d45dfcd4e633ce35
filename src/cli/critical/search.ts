import {
  findCriticalTokens,
  type CountRight,
  type CriticalSearch,
} from "../../evaluation/critical/find-critical-tokens.ts";
import { modelRollouts } from "../../evaluation/critical/model-rollouts.ts";
import type { Model } from "../../model/model.ts";
import type { Verify } from "../../recipes/kit/responses/index.ts";
import type { GivenAnswer } from "./answers.ts";
import { digestOf, type Records, type RolloutRecord } from "./records.ts";
import type { CriticalRequest } from "./request.ts";

/** Batches of continuations between two records. */
const batchesAPart = 8;

/** Searches the wrong answers; what is on record is not drawn again. */
export function searchAnswers(
  model: Model,
  wrong: readonly GivenAnswer[],
  {
    request,
    verify,
    records,
    onProgress,
  }: {
    request: CriticalRequest;
    verify: Verify;
    records: Records;
    /** Of continuations: those of the search, or those of the checks. */
    onProgress: (part: "search" | "check", done: number, total: number) => void;
  },
): Promise<CriticalSearch[]> {
  const { rollouts, sampling, batchSize, positions } = request;
  const isRight = async (answer: number, ids: readonly number[], finished: boolean): Promise<boolean> => {
    const response = model.tokenizer.decode(ids, { skipSpecialTokens: true });
    const { verdict } = await verify({ response, reference: wrong[answer]!.reference, finished });
    return verdict === "correct";
  };
  const texts = wrong.map(({ rowId, sample, prompt, ids }) => ({ name: `${rowId} ${sample}`, prompt, ids }));
  const names = wrong.map(({ rowId, sample, prompt, ids, reference }) => {
    return { row: rowId, sample, of: digestOf(prompt, ids, reference) };
  });
  const count: CountRight = async (prefixes) => {
    const recordOf = ({ answer, kept, purpose }: (typeof prefixes)[number]): Omit<RolloutRecord, "right"> => {
      return { ...names[answer]!, kept, purpose };
    };
    const missing = prefixes.filter((prefix) => records.right(recordOf(prefix)) === undefined);
    const part = prefixes[0]!.purpose === "search" ? "search" : "check";
    const total = prefixes.length * rollouts;
    const atOnce = Math.max(1, Math.floor((batchesAPart * batchSize) / rollouts));
    for (let from = 0; from < missing.length; from += atOnce) {
      const before = (prefixes.length - missing.length + from) * rollouts;
      const step = (done: number): void => onProgress(part, before + done, total);
      const draw = modelRollouts(model, texts, { ...sampling, rollouts, batchSize, isRight, onProgress: step });
      const asked = missing.slice(from, from + atOnce);
      const counts = await draw(asked);
      asked.forEach((prefix, i) => records.add({ ...recordOf(prefix), right: counts[i]! }));
    }
    return prefixes.map((prefix) => records.right(recordOf(prefix))!);
  };
  const [first, last] = positions;
  return findCriticalTokens(
    wrong.map(({ ids }) => ids),
    count,
    {
      rollouts,
      positions: (_, tokens) => Array.from({ length: tokens - 1 }, (_, t) => t).filter((t) => t >= first && t <= last),
    },
  );
}
