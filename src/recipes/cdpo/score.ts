import { join } from "node:path";
import type { TokenBatch } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { withAdapter } from "../../model/adapters/with-adapter.ts";
import type { Model } from "../../model/model.ts";
import { readNumbers } from "../../training/read-numbers.ts";
import { responseBatch, splitResponses, usableRows } from "../kit/responses/index.ts";
import { stoppable } from "../kit/reporter.ts";
import type { ContrastModels } from "./contrast.ts";
import { estimateTokens } from "../../evaluation/critical/estimate-tokens.ts";
import {
  readScored,
  writeScored,
  type PairedText,
  type ResponsePair,
  type ScoredPair,
  type TokenFacts,
} from "./files.ts";
import { pairRows } from "./pairs.ts";
import { digestOfStart, type StageFile, type StageResult } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** Where scored pairs lie. */
export function scoredFile(work: CdpoWork): StageFile<ScoredPair[]> {
  const { config, surroundings, vocabularySize } = work;
  return {
    name: "score",
    replacement: config.stages.score,
    read(path, note) {
      const pairs = usableRows(path, readScored(path, { vocabularySize }), { ...surroundings, ...pairRows, note });
      requireContrast(work, pairs, path);
      return pairs;
    },
  };
}

/**
 * Of every token of the pairs its log-probability under the reference, which is the starting model: without any adapter,
 * or with the one that the alignment starts from; and, where an objective reads them, the contrastive estimate and the
 * log-ratio of the contrasted models.
 */
export function scoreStage(
  work: CdpoWork,
  pairs: StageResult<ResponsePair[]>,
  models: ContrastModels,
): Promise<StageResult<ScoredPair[]>> {
  const { config, estimated, rated, inputs } = work;
  const contrasted = estimated || rated;
  const output = "stages/score.arrow";
  const { contrast, plausibility } = config.contrast;
  return work.stage({
    ...scoredFile(work),
    needs: contrasted ? [pairs, models.positive, models.negative] : [pairs],
    inputs: {
      model: inputs.identity["model"],
      ...digestOfStart(config.align.adapter),
      ...(estimated && { contrast, plausibility }),
      ...(rated && { rated }),
    },
    output,
    async work() {
      const listed = await pairs.load();
      const texts = listed.flatMap(({ chosen, rejected }) => [chosen, rejected]);
      const both = contrasted ? [await models.positive.load(), await models.negative.load()] : [];
      const trunk = await work.trunk.model();
      const adapters: Model[] = [];
      try {
        for (const folder of both) adapters.push(withAdapter(trunk, await loadAdapter(folder, trunk)));
        const [positive, negative] = adapters;
        const facts = await factsOf(
          work,
          await work.trunk.start(),
          texts,
          positive && negative && { positive, negative },
        );
        const scored = listed.map((pair, k) => ({
          ...pair,
          facts: { chosen: facts[2 * k]!, rejected: facts[2 * k + 1]! },
        }));
        writeScored(join(work.run.path, output), scored);
      } finally {
        for (const adapted of adapters) adapted.dispose();
      }
    },
  });
}

interface ContrastPair {
  positive: Model;
  negative: Model;
}

async function factsOf(
  work: CdpoWork,
  reference: Model,
  texts: readonly PairedText[],
  models: ContrastPair | undefined,
): Promise<TokenFacts[]> {
  const { contrast, align } = work.config;
  const reporter = stoppable(work.reporterOf("score"), work.interrupted);
  const facts: TokenFacts[] = [];
  let done = 0;
  for (const rows of splitResponses(texts, 2 * (align.training.microBatchSize ?? align.training.batchSize))) {
    reporter.working("scoring tokens", done, texts.length);
    const batch = responseBatch(rows.map((row) => texts[row]!));
    const { logProb } = await readNumbers(reference, batch, ["logProb"]);
    const { contrast: beta, plausibility } = contrast;
    const estimate =
      models && work.estimated ? await estimateTokens(models, batch, { contrast: beta, plausibility }) : undefined;
    const ratio = models && work.rated ? await logRatios(models, batch) : undefined;
    rows.forEach((row, place) => {
      const { prompt, ids, weights } = texts[row]!;
      const start = place * batch.width + prompt.length;
      const own = (values: Float32Array) => values.slice(start, start + ids.length);
      facts[row] = {
        reference: own(logProb),
        ...(estimate && { logEstimate: own(estimate) }),
        ...(ratio && { logRatio: own(ratio) }),
        ...(weights && { weights }),
      };
    });
    done += rows.length;
    await letEventsIn();
  }
  reporter.working("scoring tokens", texts.length, texts.length);
  return facts;
}

/** `log p_positive - log p_negative` of every response token, `[rows * width]`, nats. */
async function logRatios({ positive, negative }: ContrastPair, batch: TokenBatch): Promise<Float32Array> {
  const { logProb } = await readNumbers(positive, batch, ["logProb"]);
  const { logProb: ofNegative } = await readNumbers(negative, batch, ["logProb"]);
  return logProb.map((value, i) => value - ofNegative[i]!);
}

function requireContrast({ estimated, rated }: CdpoWork, pairs: readonly ScoredPair[], path: string): void {
  const wanted = [
    ...(estimated ? [["logEstimate", "log_estimate", "estimate"] as const] : []),
    ...(rated ? [["logRatio", "log_ratio", "contrasted models' log-ratio"] as const] : []),
  ];
  for (const [fact, column, noun] of wanted)
    for (const side of ["chosen", "rejected"] as const)
      if (pairs.some(({ facts }) => facts[side][fact] === undefined))
        throw new UserError("missing-column", `the column ${side}_${column} is missing or empty`, {
          where: path,
          fix: `An objective reads the ${noun} of every response token; give the column, or another align.objective.method.`,
        });
}
