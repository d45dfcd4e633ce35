import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { adapterTemplate, files, loadAdapter } from "../model/adapters/peft.ts";
import { loadModel, type LoadOptions, type Model } from "../model/model.ts";
import { openWeights } from "../model/weights/open.ts";
import { type Adapter } from "../model/adapters/lora.ts";
import { withAdapter } from "../model/adapters/with-adapter.ts";
import { UserError } from "../system/errors.ts";
import { visibleString } from "../system/visible-text.ts";
import { withChatTemplate, type Tokenizer } from "../text/index.ts";
import { withFlag } from "./with-flag.ts";

/** The flag of every command that runs a model which an adapter may change. */
export const adapterFlag = {
  adapter: {
    type: "string",
    value: "DIR",
    description: "A LoRA adapter over --model, as PEFT or a run (adapter/) saved it.",
  },
} as const;

/** A model on the engine, with all that disposing of it frees. */
export interface OpenModel extends Disposable {
  readonly model: Model;
  /** The model without its adapter. */
  readonly trunk: Model;
}

/**
 * Loads a model and, if one is named, an adapter over it.
 * @param say told if the adapter names another base model
 */
export async function openModel(
  path: string,
  {
    adapter: folder,
    say,
    ...loading
  }: { adapter?: string | undefined; say: (sentence: string) => void } & Pick<LoadOptions, "weights">,
): Promise<OpenModel> {
  requireModel(path, folder);
  const loaded = await withFlag("model", path, (from) => loadModel(from, loading));
  const trunk =
    folder === undefined ? loaded : { ...loaded, tokenizer: adapterTokenizer(loaded.tokenizer, folder, say) };
  if (folder === undefined) return { model: trunk, trunk, [Symbol.dispose]: trunk.dispose };
  try {
    const adapter = await withFlag("adapter", folder, (from) => loadAdapter(from, trunk));
    await tellBase(adapter, trunk, { where: folder, say });
    const model = withAdapter(trunk, adapter);
    const dispose = (): void => [model, trunk].forEach((part) => part.dispose());
    return { model, trunk, [Symbol.dispose]: dispose };
  } catch (error) {
    trunk.dispose();
    throw error;
  }
}

/** The tokenizer with the chat template that lies beside an adapter, which was trained with it; says so if it is another. */
export function adapterTokenizer(tokenizer: Tokenizer, folder: string, say: (sentence: string) => void): Tokenizer {
  const template = adapterTemplate(folder);
  if (template === undefined || template === tokenizer.chatTemplate) return tokenizer;
  say(
    `${join(folder, files.template)}: used in place of the model's chat template, as the adapter was trained with it`,
  );
  return withChatTemplate(tokenizer, template);
}

/** Says so if an adapter was trained over another model than the one that it lies over, by what its files say. */
export async function tellBase(
  { baseModel, baseFingerprint }: Pick<Adapter, "baseModel" | "baseFingerprint">,
  model: Pick<Model, "source" | "fingerprint">,
  { where, say }: { where: string; say: (sentence: string) => void },
): Promise<void> {
  if (baseFingerprint === model.fingerprint) return;
  if (baseModel === undefined) {
    if (baseFingerprint !== undefined) say(`${where}: the adapter was trained over another model than ${model.source}`);
  } else if (baseFingerprint !== undefined || (await isOther(baseModel, model))) {
    say(`${where}: the adapter was trained over ${visibleString(baseModel)}, and is used over ${model.source}`);
  }
}

/** Two paths are of one model if its weights are the same; where that cannot be seen, if they end in the same name. */
async function isOther(base: string, { source, fingerprint }: Pick<Model, "source" | "fingerprint">): Promise<boolean> {
  if (resolve(base) === resolve(source)) return false;
  const known = existsSync(base) ? await fingerprintOf(base).catch(() => undefined) : undefined;
  return known === undefined ? basename(base) !== basename(resolve(source)) : known !== fingerprint;
}

async function fingerprintOf(path: string): Promise<string> {
  const weights = await openWeights(path);
  await weights.close();
  return weights.fingerprint;
}

/** A folder that is an adapter alone is told how to be used. */
export function requireModel(path: string, adapter: string | undefined): void {
  const holds = (file: string): boolean => existsSync(join(path, file));
  if (!holds("adapter_config.json") || holds("config.json")) return;
  const fix =
    adapter === undefined
      ? `Give the model below it as well: --model BASE --adapter ${path}`
      : "Give the model below it.";
  throw new UserError("missing-model", "this folder holds only an adapter", { where: `--model ${path}`, fix });
}
