import { tokenizeDataset, type TokenizeOptions } from "../../data/tokens.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { UserError } from "../../system/errors.ts";
import type { Model } from "../../model/model.ts";
import { terminalNumber } from "../../report/format.ts";
import { terminalText } from "../../system/visible-text.ts";
import { defineCommand } from "../command.ts";
import { dataFlags, openData, tokenOptions } from "../data-flags.ts";
import { engineFlags, withEngine } from "../engine.ts";
import { budgetFlag, gateFlags } from "../open-gates.ts";
import { adapterFlag } from "../open-model.ts";
import { watchInterruption } from "../../system/interruption.ts";
import { requiredValue, wholeNumber } from "../values.ts";
import { requireKnownIds } from "../../model/known-ids.ts";
import { loadModels, modelRequest, type ScoringModels } from "./models.ts";
import { chooseRule, requireWritable } from "./request.ts";
import { openRowFile } from "./row-file.ts";
import { servedSource, serverFlags } from "./served-source.ts";
import { writeRows } from "./write-rows.ts";

/** `tokensift score`. */
export const score = defineCommand({
  usage: "score --model DIR|FILE.gguf --data FILE --out FILE.jsonl|FILE.arrow [--selector METHOD [--set KEY=VALUE]...]",
  summary: "Writes what a model thinks of every token of a dataset, and the weights that a rule gives them.",
  details: `
One row per row that can be trained, in the data's order: rowId (its number in the data; of texts packed into one
row, a fraction more for each), ids, tokens, response (1 =
may be trained), nll, historyNll, referenceNll (with such a model), promptAttention, entropy, gatedNll, keptHeadShare
(with --gates), rewardScore, outcomeProbability (with --reward-model), dataWeights (where the data say what tokens
count, or prompts train), weights (what the rule gives, times dataWeights). Entry t of each list describes token t:
nll[t] is the loss, in nats, of predicting token t from those before it, and 0 for t = 0. promptAttention is measured
on response tokens and 0 on others; weights are 0 outside the response, but for what --prompt-weight gives prompts.

With --adapter everything is the adapted model's, but for historyNll, referenceNll and the reward model's columns.

With --server referenceNll is the loss under the model that a server of vLLM or SGLang has, which must have the same
tokenizer: rows go there as ids. llama.cpp and OpenAI's own interface do not tell the losses of given tokens.

With --gates: gatedNll is the loss of response tokens (0 on others) when what the gates evict is gone, as in generate;
keptHeadShare is the share, from 0 to 1, of the key-value heads of all layers that keep the token. Tokens that always
stay have 1: the first and last of a prompt (--sinks, --window) and, as they are generated, those of the response; for
gates that were trained on plain text, the first and last of a row. Gates that foresee attention keep --keep of what
stands before a row's first response, once it has been read. nll, entropy and promptAttention are measured with
nothing evicted. --model, with its --adapter, is the model that the gates were trained with.

With --reward-model: rewardScore is the token reward model's score of response tokens (0 on others), and
outcomeProbability its sigmoid: how likely, from there on, the response is right. The sigmoid of the mean rewardScore
of a response is the probability of the whole. With --score-at token, the score of a token is that of the state which
has read it; with before, that of the state which predicts it. A reward model that is an adapter lies over --model
(without --adapter), or over --reward-base: the model that its training started from.

Without --selector each response token weighs 1. The model is fixed, so a rule's warm-up counts as over. A rule of
scope "step" ranks over each --batch-size rows in the data's order; one of scope "dataset" (token-cleaning, or
--selector loss-top --set scope=dataset) over all rows, which are then held in memory.

To train on the weights: data.train: FILE, selection.method: dataset-weights, selection.column: weights.`,
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...adapterFlag,
    ...dataFlags,
    out: { type: "string", short: "o", value: "FILE", description: "What to write: FILE.jsonl or FILE.arrow." },
    overwrite: { type: "boolean", description: "Replace the file if it exists." },
    selector: { type: "string", value: "METHOD", description: "The rule that gives the weights: a name or a module." },
    set: { type: "string", multiple: true, value: "KEY=VALUE", description: "An option of the rule: ratio=0.6." },
    "history-model": { type: "string", value: "PATH", description: "An earlier state of the model, for historyNll." },
    "reference-model": {
      type: "string",
      value: "PATH",
      description: "Reference model (rho1, token-cleaning, forgetting, iw-sft), for referenceNll.",
    },
    ...serverFlags,
    ...gateFlags,
    ...budgetFlag,
    "reward-model": {
      type: "string",
      value: "DIR",
      description: "A trained token reward model: the folder reward-model/ of a run.",
    },
    "reward-base": {
      type: "string",
      value: "PATH",
      description: "The model below a reward model that is an adapter. Default: --model, without --adapter.",
    },
    "score-at": {
      type: "string",
      value: "WHERE",
      description: "token or before. Default: as the reward model was trained, token where that is not known.",
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
    const request = modelRequest(path, values);
    requireWritable(out, { overwrite: values.overwrite ?? false, data: values.data });
    const { rule, notes } = await chooseRule(values);
    const layer = wantedLayer ?? rule.promptAttentionLayer ?? -1;
    const dataset = await openData(values);
    try {
      for (const note of notes) stderr.write(`${note}\n`);
      const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
      await withEngine(values, stderr, async () => {
        using interruption = watchInterruption();
        const served = servedSource(values, interruption.asked);
        using models = await loadModels(request, say);
        await interruption.check();
        const { model } = models;
        requireLayer(layer, model);
        const maxTokens = longestRow(wantedLength, models.all);
        const tokens = await tokenize(dataset, model, { ...tokenOptions(values), maxTokens }, say);
        requireKnownIds([tokens.largestId], models.all);
        requireRoom(rule.scope, tokens);
        const file = openRowFile(out, columnsOf({ ...models, served }, tokens));
        const { piece } = model.tokenizer;
        const options = { ...models, ...sizes, served, rule, tokens, piece, layer };
        await writeRows(file, { options, out, interruption, stderr });
      });
    } finally {
      await dataset.close();
    }
  },
});

function requireLayer(layer: number, { config: { layers } }: Model): void {
  if (layer >= -layers && layer < layers) return;
  throw new UserError("invalid-option", `there is no layer ${layer}`, {
    fix: `The model has the layers 0 to ${layers - 1}; -1 is the last.`,
  });
}

function longestRow(wanted: number | undefined, models: readonly Model[]): number {
  const context = Math.min(...models.map(({ config }) => config.maxPositions));
  if (wanted === undefined || wanted <= context) return wanted ?? context;
  throw new UserError("invalid-option", `--max-tokens is ${wanted}, but the model reads ${context} tokens at most`);
}

async function tokenize(
  dataset: Dataset,
  model: Model,
  options: TokenizeOptions & { maxTokens: number },
  say: (sentence: string) => void,
) {
  const { maxTokens } = options;
  const tokens = await tokenizeDataset(dataset, model.tokenizer, { ...options, onNotice: say });
  const { truncated } = tokens.stats;
  if (truncated > 0) say(`${terminalNumber(truncated)} rows are cut to ${terminalNumber(maxTokens)} tokens`);
  return tokens;
}

const mostPlaces = 2 ** 28; // a gigabyte for each signal

function requireRoom(scope: string, tokens: TokenizedDataset): void {
  const longest = Array.from({ length: tokens.length }, (_, i) => tokens.lengthOf(i)).reduce(
    (a, b) => Math.max(a, b),
    0,
  );
  if (scope !== "dataset" || tokens.length * longest <= mostPlaces) return;
  throw new UserError("too-large", `${tokens.length} rows of up to ${longest} tokens are too many to rank at once`, {
    fix: "Cut them with --max-tokens, take fewer with --rows, or use scope=step with a large --batch-size.",
  });
}

function columnsOf(
  { history, reference, measures, served }: ScoringModels & { served: unknown },
  { weighed }: TokenizedDataset,
): string[] {
  const second = [...(history ? ["historyNll"] : []), ...(reference || served ? ["referenceNll"] : [])];
  const measured = measures.flatMap(({ columns }) => columns);
  const own = !weighed ? [] : ["dataWeights"];
  return ["nll", ...second, "promptAttention", "entropy", ...measured, ...own, "weights"];
}
