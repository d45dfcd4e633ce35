import type { Warning } from "../../training/divergence.ts";
import { finiteWatch, together } from "../kit/watches.ts";

/** What warnings read of an iteration's metrics. */
export type WarningFacts = Record<
  | "step"
  | "keptResponses"
  | "keptRight"
  | "questionsAllWrong"
  | "questionsAllRight"
  | "unparsable"
  | "timeout"
  | "unfinished"
  | "weightMeanRight"
  | "weightMeanWrong"
  | "responses",
  number
> &
  Partial<Record<"lost" | "mismatch", number>>;

/** Nats per token beyond which a server hardly has the policy's weights; those of four bits are some hundredths away. */
const farMismatch = 0.5;

/** What is wrong with an iteration's responses, in a sentence; each kind is reported once in a run. */
function warningsOf(metrics: WarningFacts): Record<string, string> {
  const at = `In iteration ${metrics.step}`;
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const { questionsAllWrong, questionsAllRight, unfinished } = metrics;
  const failed = metrics.unparsable + metrics.timeout;
  const { weightMeanRight, weightMeanWrong } = metrics;
  const [less, more] = weightMeanRight < weightMeanWrong ? ["right", "wrong"] : ["wrong", "right"];
  const oneSided =
    Math.max(weightMeanRight, weightMeanWrong) > 0.1 && Math.min(weightMeanRight, weightMeanWrong) < 0.01;
  const { responses, lost = 0, mismatch = 0 } = metrics;
  return {
    ...(lost > 0 && {
      lost: `${at} the server did not give ${lost} of ${responses + lost} responses: they are left out, not wrong.`,
    }),
    ...(mismatch > farMismatch && {
      mismatch:
        `${at} the server's log-probabilities are ${mismatch.toFixed(2)} nats from those computed here, per token: does it ` +
        "have the same model?",
    }),
    ...(metrics.keptResponses === 0 && {
      empty:
        `${at} nothing was kept (questions all wrong: ${questionsAllWrong}, all right: ${questionsAllRight}): ` +
        "nothing is learnt from it.",
    }),
    ...(metrics.keptRight > 0 &&
      oneSided && {
        oneSided:
          `${at} token weights are near 0 on ${less} responses and not on ${more} ones: the reward model has learnt how ` +
          "often responses are right rather than which are. objective.keep: pair shows it as many right as wrong ones.",
      }),
    ...(failed > 0.2 && { failed: `${at} ${percent(failed)} of the responses could not be judged.` }),
    ...(unfinished > 0.2 && {
      unfinished: `${at} ${percent(unfinished)} of the responses ended at sampling.maxNewTokens; by default they count as wrong.`,
    }),
  };
}

/** Looks at every iteration's record, and tells of what is wrong; of each kind once. */
export function warningWatch(): (record: Readonly<Record<string, unknown>>) => Warning[] {
  const seen = new Set<string>();
  // neither loss is one of tokens, in nats: only what is no number is too much
  const finite = together([finiteWatch("loss"), finiteWatch("rewardLoss")]);
  return (record) => [
    ...Object.entries(warningsOf(record as unknown as WarningFacts)).flatMap(([kind, warning]) => {
      if (seen.has(kind)) return [];
      seen.add(kind);
      return [warning];
    }),
    ...finite(record),
  ];
}
