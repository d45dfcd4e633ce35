/**
 * Token-level reward model (https://arxiv.org/abs/2502.06781): a decoder whose output projection is replaced by one
 * linear unit without bias that starts at zero. The decoder is a LoRA adapter over a trunk that the policy may share, or
 * a model of its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Forward, Stateful, TokenBatch } from "../../contract/index.ts";
import { writeFileAtomically } from "../../data/atomic.ts";
import { UserError } from "../../system/errors.ts";
import { remove } from "../../system/files-in-use.ts";
import { makeFolder } from "../../system/make-folder.ts";
import { readJson } from "../../model/weights/read-json.ts";
import type { ScoreAt } from "../scores.ts";
import { createScoreHead, scoreWeightName, type ScoreHead } from "../../model/score-head.ts";
import { isAdapted, withAdapter } from "../../model/adapters/with-adapter.ts";
import { loadAdapter, saveAdapter } from "../../model/adapters/peft.ts";
import { loadModel, saveModel, type Model, type SaveOptions } from "../../model/model.ts";
import { openTensorFile } from "../../model/weights/tensor-file.ts";
import { scoredForward } from "../../model/scored-forward.ts";
import { writeSafetensors } from "../../model/weights/safetensors-write.ts";
import type { Decoder, Parameter } from "../../model/decoder.ts";
import type { GradientStore } from "../../model/gradients.ts";
import { savedParameters } from "../../model/saved-values.ts";

/** A checkpoint holds the values of its `parameters`. */
export interface TokenRewardModel<D extends Decoder = Decoder> extends Stateful {
  readonly decoder: D;
  readonly head: ScoreHead;
  /** Where its scores were read in training; absent where that is not known. */
  readonly scoreAt?: ScoreAt;
  /** What is trained: the adapter, or the whole decoder, and the head. */
  readonly parameters: readonly Parameter[];
  /** First phase of a step; its only signal is `score`. Null gradients = scoring only. */
  pass(batch: TokenBatch, gradients: GradientStore | null): Forward;
  /** Says which optimizer step the next training passes belong to, for an adapter's dropout. */
  startStep(step: number): void;
  /** Frees head and decoder; of an adapted one the adapter alone. */
  dispose(): void;
}

const folders = { adapter: "adapter", model: "model" } as const;
const headFile = "head.safetensors";
const settingsFile = "reward-model.json";
const modelWanted = "Name the folder reward-model/ of a run.";

/**
 * A token-level reward model over a decoder: one linear unit reads the state of every token, in nats of log-odds.
 *
 * @param head default: zero, so that every score starts at 0 and every outcome probability at one half
 * @see https://arxiv.org/abs/2502.06781
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { tokenRewardModel } from "tokensift/reward/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rewardModel = tokenRewardModel(model);
 * const rows = fromRows([{ input_ids: [5, 6, 7], response_mask: [0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * using pass = rewardModel.pass(batch, null);
 * (await pass.read(["score"])).score; //=> [0, 0, 0]
 * releaseEngine();
 */
export function tokenRewardModel<D extends Decoder>(decoder: D, head = createScoreHead(decoder)): TokenRewardModel<D> {
  const adapter = isAdapted(decoder) ? decoder.adapter : undefined;
  const parameters = [...(adapter ?? decoder).parameters, head.parameter];
  return {
    decoder,
    head,
    parameters,
    pass: (batch, gradients) => scoredForward(decoder, head, batch, { gradients }),
    startStep: (step) => adapter?.startStep(step),
    ...savedParameters(parameters, "the saved reward model"),
    dispose() {
      head.dispose();
      decoder.dispose();
    },
  };
}

/**
 * Writes `adapter/` (a PEFT folder) or `model/` (Hugging Face layout), and `head.safetensors` with `score.weight`;
 * where `scoreAt` is given also `reward-model.json`.
 * @param card text of the `README.md` beside the weights
 * @param scoreAt where the scores were read in training, for whoever loads the model
 * @param chatTemplate of an adapter that was trained with another one than the model below has, as in `saveAdapter`
 * @param options.dtype number format of a whole model, and `options.shardSize` of its files, as in `saveModel`
 * @throws UserError if a folder holds other files or cannot be written
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadModel, withAdapter } from "tokensift/model";
 * import { loadTokenRewardModel, saveTokenRewardModel, tokenRewardModel } from "tokensift/reward/model";
 *
 * await useEngine("cpu");
 * const policy = await loadModel("models/tiny");
 * const rewardModel = tokenRewardModel(withAdapter(policy, await createAdapter(policy, { rank: 4 })));
 * await saveTokenRewardModel(rewardModel, "reward-model", { card: "Untrained.", scoreAt: "token" });
 * (await loadTokenRewardModel("reward-model", policy)).scoreAt; //=> "token"
 * releaseEngine();
 */
export async function saveTokenRewardModel(
  { decoder, head }: TokenRewardModel<Model>,
  folder: string,
  { card, scoreAt, chatTemplate, ...format }: SaveOptions & { scoreAt?: ScoreAt; chatTemplate?: string | undefined },
): Promise<void> {
  makeFolder(folder);
  const settings = { format: "tokensift token reward model", version: 1, scoreAt };
  const file = join(folder, settingsFile);
  if (scoreAt === undefined) remove(file);
  else writeFileAtomically(file, `${JSON.stringify(settings, null, 2)}\n`);
  if (isAdapted(decoder)) await saveAdapter(decoder, join(folder, folders.adapter), { card, chatTemplate });
  else await saveModel(decoder, join(folder, folders.model), { card, ...format });
  const { shape } = head.weight;
  const values = () => head.weight.data<"float32">();
  await writeSafetensors(join(folder, headFile), [{ name: scoreWeightName, shape, values }]);
}

/**
 * Loads what `saveTokenRewardModel` wrote.
 * @param trunk the model below the adapter; not read where the folder holds a whole model
 * @throws UserError if the folder holds no such reward model, or one for another shape
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { loadModel } from "tokensift/model";
 * import { loadTokenRewardModel, saveTokenRewardModel, tokenRewardModel } from "tokensift/reward/model";
 *
 * await useEngine("cpu");
 * const trained = tokenRewardModel(await loadModel("models/tiny"));
 * await saveTokenRewardModel(trained, "my-reward-model", { card: "Untrained." });
 *
 * const rewardModel = await loadTokenRewardModel("my-reward-model");
 * rewardModel.parameters.length === trained.parameters.length; //=> true
 * releaseEngine();
 */
export async function loadTokenRewardModel(folder: string, trunk?: Model): Promise<TokenRewardModel<Model>> {
  if (!existsSync(join(folder, headFile)))
    throw new UserError("missing-model", "there is no token reward model in this folder", {
      where: `${folder}: ${headFile}`,
      fix: modelWanted,
    });
  const scoreAt = await readScoreAt(join(folder, settingsFile));
  const decoder = await loadDecoder(folder, trunk);
  try {
    const path = join(folder, headFile);
    const values = await readHead(path);
    if (values?.length === decoder.config.width)
      return { ...tokenRewardModel(decoder, createScoreHead(decoder, values)), ...(scoreAt && { scoreAt }) };
    const found = values === undefined ? `no ${scoreWeightName}` : `${values.length} numbers in ${scoreWeightName}`;
    throw new UserError("model-mismatch", `there are ${found}, expected ${decoder.config.width}`, {
      where: path,
      fix: "The head belongs to another model.",
    });
  } catch (error) {
    decoder.dispose();
    throw error;
  }
}

async function readScoreAt(path: string): Promise<ScoreAt | undefined> {
  if (!existsSync(path)) return undefined;
  const json = (await readJson(path)) as { format?: unknown; version?: unknown; scoreAt?: unknown } | null;
  const { format, version, scoreAt } = json ?? {};
  if (format === "tokensift token reward model" && version === 1 && (scoreAt === "token" || scoreAt === "before"))
    return scoreAt;
  throw new UserError("unsupported-file", "this is not the settings file of a token reward model of this version", {
    where: path,
    fix: modelWanted,
  });
}

async function loadDecoder(folder: string, trunk: Model | undefined): Promise<Model> {
  const adapter = join(folder, folders.adapter);
  if (!existsSync(adapter)) return loadModel(join(folder, folders.model));
  if (trunk !== undefined) return withAdapter(trunk, await loadAdapter(adapter, trunk));
  throw new UserError("missing-model", "the reward model is an adapter, and there is no model below it", {
    where: adapter,
    fix: "Give the model that it was trained on.",
  });
}

async function readHead(path: string): Promise<Float32Array | undefined> {
  const file = await openTensorFile(path);
  try {
    return await file.read(scoreWeightName);
  } finally {
    await file.close();
  }
}
