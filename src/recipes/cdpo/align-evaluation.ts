import { verifier } from "../../text/index.ts";
import type { Model } from "../../model/model.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import { evaluateAnswers } from "../kit/answer-evaluation.ts";
import { type Reporter, stoppable } from "../kit/reporter.ts";
import { scoresOf, type PairScore } from "./preferences.ts";
import { pairRow } from "./results.ts";
import type { CdpoWork } from "./work.ts";

type Line = Readonly<Record<string, unknown>>;

/**
 * What measures a model while it is aligned, for the evaluation log of its arm. Where that is by losses alone, the start and the
 * end are, too: answers are a stage of their own.
 */
export function alignmentEvaluation(
  work: CdpoWork,
  name: string,
  { model, run }: { model: Model; run: Pick<RunFolder, "evaluation"> },
): (repeatable: boolean, step: number) => Promise<Line> {
  const { config, held, heldPairs, inputs, interrupted, reporterOf } = work;
  const measure = async (reporter: Pick<Reporter, "working">): Promise<Line> => {
    if (heldPairs) {
      const scores = await scoresOf(config, heldPairs, model, reporter);
      return pairLine(scores, startScores(run.evaluation.records()) ?? scores);
    }
    const { verify, close } = verifier(config.verifier);
    const { onTheWay: part } = config.evaluation;
    const task = part === "losses" ? "held-out losses" : "answering held-out problems";
    try {
      const measured = await evaluateAnswers(model, held, inputs.validation!, {
        ...{ ...config.evaluation, part, verify, seed: config.training.seed },
        onProgress: (done, total) => reporter.working(task, done, total),
      });
      return { ...measured };
    } finally {
      await close();
    }
  };
  return (repeatable, step) => {
    const reporter = repeatable ? stoppable(reporterOf(name), interrupted) : reporterOf(name);
    return step === 0 ? inputs.evaluateStart(() => measure(reporter)) : measure(reporter); // arms start from one model
  };
}

/** Scores of held-out pairs with what has been gained since the start, whose line keeps them for the later ones. */
function pairLine(scores: readonly PairScore[], start: readonly PairScore[]): Line {
  const numbers = Object.entries(pairRow({ name: "", learnt: "" }, scores, start));
  return {
    ...Object.fromEntries(numbers.filter(([key]) => key !== "name" && key !== "learnt")),
    rowChosen: scores.map(({ chosen }) => chosen),
    rowRejected: scores.map(({ rejected }) => rejected),
  };
}

function startScores(lines: readonly Line[]): PairScore[] | undefined {
  const start = lines.find(({ step }) => step === 0);
  if (start === undefined) return undefined;
  const list = (key: string): number[] => start[key] as number[];
  const [questions, chosen, rejected, tokens] = ["rowIds", "rowChosen", "rowRejected", "rowTokens"].map(list);
  return questions!.map((question, i) => ({
    ...{ question, chosen: chosen![i]!, rejected: rejected![i]!, tokens: tokens![i]! },
  }));
}
