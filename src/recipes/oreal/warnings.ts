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
  | "weightMeanWrong",
  number
>;

/** What is wrong with an iteration's responses, in a sentence; each kind is told once in a run. */
function warningsOf(metrics: WarningFacts): Record<string, string> {
  const at = `In iteration ${metrics.step}`;
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const { questionsAllWrong, questionsAllRight, unfinished } = metrics;
  const failed = metrics.unparsable + metrics.timeout;
  const { weightMeanRight, weightMeanWrong } = metrics;
  const [less, more] = weightMeanRight < weightMeanWrong ? ["right", "wrong"] : ["wrong", "right"];
  const oneSided =
    Math.max(weightMeanRight, weightMeanWrong) > 0.1 && Math.min(weightMeanRight, weightMeanWrong) < 0.01;
  return {
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
      unfinished: `${at} ${percent(unfinished)} of the responses ended at rollout.maxNewTokens and count as wrong.`,
    }),
  };
}

/** Takes in an iteration's warnings; gives those of a kind that was not seen before. */
export function warningLog(): { all: () => string[]; take: (metrics: WarningFacts) => string[] } {
  const seen = new Map<string, string>();
  return {
    all: () => [...seen.values()],
    take(metrics) {
      const news = Object.entries(warningsOf(metrics)).filter(([kind]) => !seen.has(kind));
      for (const [kind, warning] of news) seen.set(kind, warning);
      return news.map(([, warning]) => warning);
    },
  };
}
