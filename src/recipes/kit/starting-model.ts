import type { FreshConfig } from "../../config/index.ts";
import { parseDecoderConfig } from "../../model/config-file.ts";
import type { DecoderConfig } from "../../model/config.ts";
import { openModelFiles, type ModelFiles } from "../../model/model-files.ts";
import { createModel, freshModelFacts, type LoadOptions, type Model, type ModelFacts } from "../../model/model.ts";
import { UserError } from "../../system/errors.ts";
import { loadTokenizer, type Tokenizer } from "../../text/index.ts";

/** The model that a run starts from. Its files are opened once, however many copies are made. */
export interface StartingModel {
  readonly facts: ModelFacts;
  /** A copy of one's own, to train and to dispose of. */
  open(options?: LoadOptions): Promise<Model>;
  /**
   * The model to be left as it is, frozen: whoever asks for it in the same way has the same copy, at once or one after
   * the other. Dispose of it after use; it then waits for the next one, until a model is asked for in another way.
   */
  share(options?: LoadOptions): Promise<Model>;
  close(): Promise<void>;
}

/** What a configuration says of the model to start from. */
export interface StartingModelConfig {
  model?: string | undefined;
  /** Shape of a model with fresh weights, in place of `model`. */
  fresh?: FreshConfig | undefined;
  training: { seed: number };
}

/** @throws UserError if the path, configuration or tokenizer are not those of a supported model */
export async function openStart(config: StartingModelConfig): Promise<StartingModel> {
  const { load, close, ...facts } = await openFiles(config);
  const shared = sharedModels(load);
  return {
    facts,
    async open(options) {
      shared.forgetIdle();
      return load(options);
    },
    share: shared.take,
    async close() {
      shared.forgetIdle();
      await close();
    },
  };
}

interface SharedModel {
  readonly model: Model;
  users: number;
}

/** Copies that several use. One that nobody uses is kept only while no other is asked for: no more are in memory at once. */
function sharedModels(load: ModelFiles["load"]) {
  const held = new Map<string, SharedModel>();
  const forgetIdle = (but?: string): void => {
    for (const [key, { model, users }] of held) {
      if (users > 0 || key === but) continue;
      model.dispose();
      held.delete(key);
    }
  };
  return {
    forgetIdle,
    async take(options: LoadOptions = {}): Promise<Model> {
      const { weights = "float32", inMemory = [] } = options;
      const key = JSON.stringify([weights, [...inMemory].sort()]);
      forgetIdle(key);
      const entry = held.get(key) ?? { model: await load(options), users: 0 };
      for (const { variable } of entry.model.parameters) variable.trainable = false;
      held.set(key, entry);
      entry.users++;
      let inUse = true;
      const dispose = (): void => {
        if (inUse) entry.users--;
        inUse = false;
      };
      return { ...entry.model, dispose };
    },
  };
}

async function openFiles({ model, fresh, training }: StartingModelConfig): Promise<ModelFiles> {
  if (model !== undefined) return openModelFiles(model);
  const { config, tokenizer } = freshModel(fresh);
  return {
    ...freshModelFacts(config, tokenizer, training),
    load: () => createModel(config, tokenizer, training),
    close: async () => undefined,
  };
}

function freshModel(fresh: StartingModelConfig["fresh"]): { config: DecoderConfig; tokenizer: Tokenizer } {
  if (fresh === undefined)
    throw new UserError("missing-option", "there is no model to start from", { fix: "Give `model` or `fresh`." });
  const tokenizer = loadTokenizer(fresh.tokenizer);
  const begin = tokenizer.bosToken === undefined ? undefined : tokenizer.encode(tokenizer.bosToken)[0];
  const config = parseDecoderConfig(
    {
      model_type: "llama",
      vocab_size: tokenizer.vocabularySize,
      hidden_size: fresh.width,
      num_hidden_layers: fresh.layers,
      num_attention_heads: fresh.heads,
      num_key_value_heads: fresh.keyValueHeads,
      intermediate_size: fresh.feedForwardWidth,
      max_position_embeddings: fresh.maxPositions,
      rms_norm_eps: 1e-5,
      rope_theta: fresh.ropeTheta,
      tie_word_embeddings: fresh.tiedOutput,
      bos_token_id: begin,
      eos_token_id: [...(tokenizer.endOfText ?? [])],
    },
    "fresh",
  );
  return { config, tokenizer };
}
