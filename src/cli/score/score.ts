import { tokenizeDataset, type Dataset, type TokenizedDataset } from "../../data/index.ts";
import { UserError } from "../../system/errors.ts";
import { attentionLayerOf } from "../../recipes/finetune/rules.ts";
import { loadModel, type Model } from "../../model/index.ts";
import { formatDuration, formatNumber, formatShare } from "../../report/format.ts";
import { createProgress } from "../../report/progress.ts";
import { terminalText } from "../../system/visible-text.ts";
import { defineCommand } from "../command.ts";
import type { TextStream } from "../../system/streams.ts";
import { dataFlags, openData } from "../data-flags.ts";
import { engineFlags, withEngine } from "../engine.ts";
import { watchInterruption, type Interruption } from "../../system/interruption.ts";
import { requiredValue, wholeNumber } from "../values.ts";
import { chooseRule, requireWritable } from "./request.ts";
import { openRowFile, type RowFile } from "./row-file.ts";
import { scoreRows, type ScoreOptions } from "./score-rows.ts";

/** `tokensift score`. */
export const score = defineCommand({
  usage: "score --model DIR|FILE.gguf --data FILE --out FILE.jsonl|FILE.arrow [--selector METHOD [--set KEY=VALUE]...]",
  summary: "Writes what a model thinks of every token of a dataset, and the weights that a rule gives them.",
  details: `
One row per row that can be trained, in the data's order: rowId (its number in the data), ids, tokens, response (1 =
may be trained), nll, historyNll, referenceNll (with such a model), promptAttention, entropy, weights. Entry t of each
list describes token t: nll[t] is the loss, in nats, of predicting token t from those before it, and 0 for t = 0.
promptAttention is measured on response tokens and 0 on others; weights are 0 outside the response.

Without --selector each response token weighs 1. The model is fixed, so a rule's warm-up counts as over. A rule of
scope "step" ranks over each --batch-size rows in the data's order; one of scope "dataset" (token-cleaning, or
--selector loss-top --set scope=dataset) over all rows, which are then held in memory.

To train on the weights: data.train: FILE, selection.method: dataset-weights, selection.column: weights.`,
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...dataFlags,
    out: { type: "string", short: "o", value: "FILE", description: "What to write: FILE.jsonl or FILE.arrow." },
    overwrite: { type: "boolean", description: "Replace the file if it exists." },
    selector: { type: "string", value: "METHOD", description: "The rule that gives the weights: a name or a module." },
    set: { type: "string", multiple: true, value: "KEY=VALUE", description: "An option of the rule: ratio=0.6." },
    "history-model": { type: "string", value: "PATH", description: "An earlier state of the model, for historyNll." },
    "reference-model": {
      type: "string",
      value: "PATH",
      description: "Reference model (rho1, token-cleaning, iw-sft), for referenceNll.",
    },
    layer: {
      type: "string",
      value: "N",
      description: "Layer of promptAttention; -1 is the last. Default: the rule's, or the last.",
    },
    "max-tokens": { type: "string", value: "N", description: "Cut longer rows. Default: the model's context." },
    "batch-size": { type: "string", value: "N", description: "Rows of a step. Default 16." },
    "micro-batch-size": { type: "string", value: "N", description: "Rows computed at once, for memory. Default 8." },
    seed: { type: "string", value: "N", description: "Seed of rules that draw. Default 42." },
    ...engineFlags,
  },
  run: async (values, { stderr }) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const out = requiredValue("out", values.out, "the file to write, FILE.jsonl or FILE.arrow");
    const wantedLayer = wholeNumber("layer", values.layer, { minimum: -10_000, maximum: 10_000 });
    const wantedLength = wholeNumber("max-tokens", values["max-tokens"], { minimum: 2 });
    const batchSize = wholeNumber("batch-size", values["batch-size"]) ?? 16;
    const sizes = {
      batchSize,
      microBatchSize: wholeNumber("micro-batch-size", values["micro-batch-size"]) ?? Math.min(8, batchSize),
      seed: wholeNumber("seed", values.seed, { minimum: 0 }) ?? 42,
    };
    requireWritable(out, { overwrite: values.overwrite ?? false, data: values.data });
    const { rule, notes } = await chooseRule(values);
    const layer = wantedLayer ?? attentionLayerOf(rule);
    const dataset = await openData(values);
    try {
      for (const note of notes) stderr.write(`${note}\n`);
      await withEngine(values, stderr, async () => {
        using interruption = watchInterruption();
        using models = await loadModels(path, values);
        await interruption.check();
        const { model } = models;
        requireLayer(layer, model);
        const maxTokens = longestRow(wantedLength, models.all);
        const tokens = await tokenize(dataset, model, maxTokens, stderr);
        requireKnownIds(tokens, models.all);
        requireRoom(rule.scope, tokens);
        const file = openRowFile(out, columnsOf(models));
        const { piece } = model.tokenizer;
        const options = { ...models, ...sizes, rule, tokens, piece, layer };
        await writeRows(file, { options, out, interruption, stderr });
      });
    } finally {
      await dataset.close();
    }
  },
});

interface Models extends Disposable {
  readonly model: Model;
  readonly history?: Model;
  readonly reference?: Model;
  readonly all: readonly Model[];
}

async function loadModels(
  path: string,
  values: { "history-model"?: string; "reference-model"?: string },
): Promise<Models> {
  const all: Model[] = [];
  const load = async (from: string): Promise<Model> => {
    const loaded = await loadModel(from);
    all.push(loaded);
    return loaded;
  };
  const dispose = (): void => all.forEach((each) => each.dispose());
  try {
    const model = await load(path);
    const second = async (flag: "history-model" | "reference-model"): Promise<Model | undefined> => {
      const from = values[flag];
      if (from === undefined) return undefined;
      const other = await load(from);
      if (other.tokenizer.fingerprint === model.tokenizer.fingerprint) return other;
      throw new UserError(`its tokenizer is not that of ${path}, so their losses cannot be compared`, {
        where: `--${flag} ${from}`,
        fix: "Give a model of the same family, with the same tokenizer files.",
      });
    };
    const history = await second("history-model");
    const reference = await second("reference-model");
    const others = { ...(history === undefined ? {} : { history }), ...(reference === undefined ? {} : { reference }) };
    return { model, ...others, all, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function requireLayer(layer: number, { config: { layers } }: Model): void {
  if (layer >= -layers && layer < layers) return;
  throw new UserError(`there is no layer ${layer}`, {
    fix: `The model has the layers 0 to ${layers - 1}; -1 is the last.`,
  });
}

function longestRow(wanted: number | undefined, models: readonly Model[]): number {
  const context = Math.min(...models.map(({ config }) => config.maxPositions));
  if (wanted === undefined || wanted <= context) return wanted ?? context;
  throw new UserError(`--max-tokens is ${wanted}, but the model reads ${context} tokens at most`);
}

async function tokenize(dataset: Dataset, model: Model, maxTokens: number, stderr: TextStream) {
  const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
  const tokens = await tokenizeDataset(dataset, model.tokenizer, { maxTokens, onNotice: say });
  const { truncated } = tokens.stats;
  if (truncated > 0) say(`${formatNumber(truncated)} rows are cut to ${formatNumber(maxTokens)} tokens`);
  return tokens;
}

function requireKnownIds(tokens: TokenizedDataset, models: readonly Model[]): void {
  const largest = tokens.ids.reduce((most, id) => Math.max(most, id), 0);
  const small = models.find(({ config }) => largest >= config.vocabularySize);
  if (small === undefined) return;
  throw new UserError(
    `the tokenizer gives the id ${largest}, but the model has ${small.config.vocabularySize} tokens`,
    {
      where: small.source,
      fix: "Its tokenizer belongs to another model.",
    },
  );
}

const mostPlaces = 2 ** 28; // a gigabyte for each signal

function requireRoom(scope: string, tokens: TokenizedDataset): void {
  const longest = Array.from({ length: tokens.length }, (_, i) => tokens.lengthOf(i)).reduce(
    (a, b) => Math.max(a, b),
    0,
  );
  if (scope !== "dataset" || tokens.length * longest <= mostPlaces) return;
  throw new UserError(`${tokens.length} rows of up to ${longest} tokens are too many to rank at once`, {
    fix: "Cut them with --max-tokens, take fewer with --rows, or use scope=step with a large --batch-size.",
  });
}

function columnsOf({ history, reference }: Models): string[] {
  const second = [...(history ? ["historyNll"] : []), ...(reference ? ["referenceNll"] : [])];
  return ["nll", ...second, "promptAttention", "entropy", "weights"];
}

/** Scores and writes; whatever goes wrong, no part of a file stays. */
async function writeRows(
  file: RowFile,
  about: { options: Omit<ScoreOptions, "onRows">; out: string; interruption: Interruption; stderr: TextStream },
): Promise<void> {
  const { options, out, interruption, stderr } = about;
  const { tokens } = options;
  const progress = createProgress({ stream: stderr, total: tokens.length, label: "scoring" });
  const start = performance.now();
  let [done, kept] = [0, 0];
  try {
    const onRows = async (rows: number): Promise<void> => {
      progress.update({ step: (done += rows) });
      await interruption.check();
    };
    for await (const row of scoreRows({ ...options, onRows })) {
      file.add(row);
      kept += row.weights.reduce((count, weight) => count + Number(weight !== 0), 0);
    }
    file.finish();
  } finally {
    progress.done();
    file.abandon();
  }
  const seconds = (performance.now() - start) / 1000;
  const { tokens: all, responseTokens } = tokens.stats;
  const share = `${formatShare(kept / responseTokens, 1)} of the response tokens have a weight`;
  const pace = `${formatDuration(seconds)}, ${formatNumber(Math.round(all / seconds))} tokens/s`;
  stderr.write(`${out}: ${formatNumber(tokens.length)} rows, ${formatNumber(all)} tokens, ${share}; ${pace}\n`);
}
