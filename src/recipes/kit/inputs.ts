import { createHash } from "node:crypto";
import type { PackableDataConfig } from "../../config/index.ts";
import type { Dataset } from "../../data/dataset.ts";
import { readAnswers, type AnswersOf } from "../../data/answers.ts";
import { tokenizeDataset } from "../../data/tokens.ts";
import type { TokenizeOptions } from "../../data/tokens.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { UserError } from "../../system/errors.ts";
import { packageVersion } from "../../system/package-root.ts";
import type { LoadOptions, Model } from "../../model/model.ts";
import { requireKnownIds } from "../../model/known-ids.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { EngineInfo } from "../../tensor/engine.ts";
import { withChatTemplate, type Tokenizer } from "../../text/index.ts";
import type { Identity } from "../../training/manifest.ts";
import { configuredTokens, givenTemplate, openConfigured, type DataRole } from "./configured-data.ts";
import { idleWeights, pairColumns, requireReadable, type PairReading, type PairTokens } from "./pair-tokens.ts";
import type { Reporter } from "./reporter.ts";
import { packingNote } from "./row-order.ts";
import { openStart, type StartingModel, type StartingModelConfig } from "./starting-model.ts";
import { optional } from "../../system/optional.ts";

/** What all arms of a comparison share. */
export interface RunInputs {
  readonly engine: EngineInfo;
  readonly tokens: TokenizedDataset;
  readonly validation: TokenizedDataset | undefined;
  /** Both answers of the rows to train on, and of the held-out rows, where the recipe reads pairs and the rows are pairs. */
  readonly pairs?: PairTokens;
  readonly heldPairs?: PairTokens;
  /** Shape of the starting model. */
  readonly shape: DecoderConfig;
  /** Bytes of each of its weights that can stay in its file. */
  readonly storedBytes?: ReadonlyMap<string, number>;
  /** Reads reference answers of held-out rows. */
  readonly answersOf: AnswersOf;
  /** Reads reference answers of rows to train on. */
  readonly trainingAnswersOf: AnswersOf;
  /** The chat template that the configuration gives, where the starting model has another one, or none. */
  readonly chatTemplate?: string;
  /** Of the starting model, without the template of the run. */
  readonly tokenizer: Tokenizer;
  /** A copy of the starting model, with the template of the run, to train and to dispose of. */
  openModel(options?: LoadOptions): Promise<Model>;
  /** The same to be left as it is: frozen, and shared with all that ask so. Dispose of it after use. */
  shareModel(options?: LoadOptions): Promise<Model>;
  /** The starting model's evaluation, which is every arm's; measured once. */
  evaluateStart<E extends object>(measure: () => Promise<E>): Promise<E>;
  /** What a continued run must share with the one before. */
  readonly identity: Identity;
  /** Frees the starting model that waits to be shared, and its files. */
  close(): Promise<void>;
}

/** What a configuration says of its starting model and its data. */
export interface StartConfig extends StartingModelConfig {
  /** Of recipes that do not pack rows, without `packing`. */
  data: Omit<PackableDataConfig, "packing"> & { packing?: boolean };
}

/**
 * Learns of the model's tokenizer, and tokenizes the data.
 * @param reading what is wanted of preference pairs; without, their chosen answers are read as those of any row
 */
export async function gatherInputs(
  config: StartConfig,
  engine: EngineInfo,
  reporter: Reporter,
  reading?: PairReading,
): Promise<RunInputs> {
  const start = await openStart(config);
  try {
    return await inputsFrom(start, config, { engine, reporter, reading });
  } catch (error) {
    await start.close();
    throw error;
  }
}

async function inputsFrom(
  start: StartingModel,
  config: StartConfig,
  surroundings: TokenizingSurroundings,
): Promise<RunInputs> {
  const { engine, reporter } = surroundings;
  const { tokenizer, fingerprint, config: shape, storedBytes } = start.facts;
  const chatTemplate = givenTemplate(config.data, tokenizer);
  const templated = async (opened: Promise<Model>): Promise<Model> => {
    const model = await opened;
    return chatTemplate === undefined
      ? model
      : { ...model, tokenizer: withChatTemplate(model.tokenizer, chatTemplate) };
  };
  const { maxPositions } = shape;
  const { data } = config;
  if (data.maxTokens > maxPositions && shape.rope === undefined)
    throw new UserError("too-long", `the model has embeddings of ${maxPositions} positions`, {
      where: `data.maxTokens: ${data.maxTokens}`,
      fix: `Set data.maxTokens to ${maxPositions} at most.`,
    });
  if (data.maxTokens > maxPositions)
    reporter.note(`The model states a context of ${maxPositions} tokens; data.maxTokens is ${data.maxTokens}.`);
  const train = await tokenized(config, "train", tokenizer, surroundings);
  if (data.packing === true) reporter.note(packingNote(data, config.training.seed, train.tokens));
  const held =
    data.validation === undefined ? undefined : await tokenized(config, "validation", tokenizer, surroundings);
  for (const { tokens, pairs } of held ? [train, held] : [train])
    for (const { largestId } of pairs ? [tokens, pairs.rejected] : [tokens])
      requireKnownIds([largestId], [{ source: config.model ?? "fresh", config: shape }]);
  let evaluated: Promise<object> | undefined;
  return {
    engine,
    shape,
    ...optional({ storedBytes, chatTemplate, pairs: train.pairs, heldPairs: held?.pairs }),
    tokens: train.tokens,
    validation: held?.tokens,
    answersOf: async (rowIds) => (held === undefined ? new Map() : readAnswers(held.dataset, rowIds)),
    trainingAnswersOf: (rowIds) => readAnswers(train.dataset, rowIds),
    tokenizer,
    openModel: (options) => templated(start.open(options)),
    shareModel: (options) => templated(start.share(options)),
    close: start.close,
    evaluateStart: <E extends object>(measure: () => Promise<E>) => (evaluated ??= measure()) as Promise<E>,
    identity: {
      tokensift: packageVersion(),
      node: process.version,
      engine: engine.name,
      provider: engine.provider,
      threads: engine.threads,
      device: engine.device,
      ...engine.versions,
      model: fingerprint,
      data: train.pairs?.fingerprint ?? train.tokens.fingerprint,
      ...(train.tokens.sampling && { weights: train.tokens.sampling.weights.join(", ") }),
    },
  };
}

interface Tokenized {
  readonly dataset: Dataset;
  readonly tokens: TokenizedDataset;
  readonly pairs?: PairTokens;
}

interface TokenizingSurroundings {
  readonly engine: EngineInfo;
  readonly reporter: Reporter;
  readonly reading: PairReading | undefined;
}

async function tokenized(
  { data }: StartConfig,
  role: DataRole,
  tokenizer: Tokenizer,
  { engine, reporter, reading }: TokenizingSurroundings,
): Promise<Tokenized> {
  const options: TokenizeOptions = {
    ...configuredTokens(data, role),
    ...optional({ cacheFolder: data.cache, threads: engine.threads > 0 ? engine.threads : undefined }),
    onProgress: (done, total) => reporter.working("tokenizing", done, total),
    onNotice: reporter.note,
  };
  const dataset = await openConfigured(data, role);
  try {
    if (reading !== undefined && role === "train") requireReadable(dataset, reading);
    if (reading === undefined || dataset.format !== "preference")
      return { dataset, tokens: await tokenizeDataset(dataset, tokenizer, options) };
    const note = role === "train" ? idleWeights(dataset, reading) : undefined;
    if (note !== undefined) reporter.note(note);
    const wanted = role === "train" ? reading : { weights: undefined };
    const sideOf = async (side: "chosen" | "rejected"): Promise<TokenizedDataset> => {
      const answers = await openConfigured(data, role, { side, ...pairColumns(dataset, side, wanted) });
      const onNotice =
        side === "chosen" ? reporter.note : (text: string) => reporter.note(`${text} [rejected answers]`);
      try {
        return await tokenizeDataset(answers, tokenizer, { ...options, truncate: "skip", onNotice });
      } finally {
        await answers.close();
      }
    };
    const [chosen, rejected] = [await sideOf("chosen"), await sideOf("rejected")];
    const hash = createHash("sha256").update(`${chosen.fingerprint}\n${rejected.fingerprint}`);
    return { dataset, tokens: chosen, pairs: { chosen, rejected, fingerprint: hash.digest("hex") } };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}

/** Names numbers that depend on the engine to the last bit. */
export function engineKey({ name, provider, device, versions }: EngineInfo): string {
  return createHash("sha256")
    .update(JSON.stringify([name, provider, device, versions]))
    .digest("hex")
    .slice(0, 16);
}
