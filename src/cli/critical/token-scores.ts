import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { withAdapter } from "../../model/adapters/with-adapter.ts";
import { loadModel, type Model } from "../../model/model.ts";
import { estimateTokens } from "../../evaluation/critical/estimate-tokens.ts";
import { responseBatch, splitResponses, type Drawn } from "../../recipes/kit/responses/index.ts";
import { UserError } from "../../system/errors.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { readNumbers } from "../../training/read-numbers.ts";
import { tellBase } from "../open-model.ts";
import { withFlag } from "../with-flag.ts";
import type { ContrastRequest } from "./request.ts";

/** The two models of a contrast. */
export interface ContrastModels extends Disposable {
  readonly positive: Model;
  readonly negative: Model;
}

/** Opens both, adapters over the trunk or models of their own. */
export async function openContrast(
  { positive, negative }: ContrastRequest,
  trunk: Model,
  say: (sentence: string) => void,
): Promise<ContrastModels> {
  const opened: Model[] = [];
  const dispose = (): void => opened.splice(0).forEach((model) => model.dispose());
  const open = async (flag: string, path: string): Promise<Model> => {
    const model = await withFlag(flag, path, (from) =>
      existsSync(join(from, "adapter_config.json")) && !existsSync(join(from, "config.json"))
        ? adapted(from, trunk, say)
        : loadModel(from, { weights: "as-stored" }),
    );
    opened.push(model);
    if (model.tokenizer.fingerprint === trunk.tokenizer.fingerprint) return model;
    throw new UserError("tokenizer-mismatch", `its tokenizer is not that of ${trunk.source}`, {
      where: `--${flag} ${path}`,
      fix: "Give a model with the same tokenizer files.",
    });
  };
  try {
    const models = { positive: await open("positive", positive), negative: await open("negative", negative) };
    return { ...models, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function adapted(folder: string, trunk: Model, say: (sentence: string) => void): Promise<Model> {
  const adapter = await loadAdapter(folder, trunk);
  await tellBase(adapter, trunk, { where: folder, say });
  return withAdapter(trunk, adapter);
}

/** What models say of an answer's tokens, one number each. */
export interface TokenScores {
  /** Under the model that is searched, nats. */
  readonly logProb: Float32Array;
  /** `log s_t` of the contrast. */
  readonly logEstimate?: Float32Array;
}

const rowsAtOnce = 16;

export async function scoreTokens(
  model: Model,
  answers: readonly Drawn[],
  contrast: { models: ContrastModels; request: ContrastRequest } | undefined,
): Promise<TokenScores[]> {
  const scores: TokenScores[] = [];
  for (const rows of splitResponses(answers, rowsAtOnce)) {
    const batch = responseBatch(rows.map((row) => answers[row]!));
    const { logProb } = await readNumbers(model, batch, ["logProb"]);
    const { contrast: beta, plausibility } = contrast?.request ?? {};
    const estimate =
      contrast && (await estimateTokens(contrast.models, batch, { contrast: beta!, plausibility: plausibility! }));
    rows.forEach((row, place) => {
      const { prompt, ids } = answers[row]!;
      const start = place * batch.width + prompt.length;
      const own = (values: Float32Array): Float32Array => values.slice(start, start + ids.length);
      scores[row] = { logProb: own(logProb), ...(estimate && { logEstimate: own(estimate) }) };
    });
    await letEventsIn();
  }
  return scores;
}
