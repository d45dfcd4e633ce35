import { createHash } from "node:crypto";
import type { FinetuneConfig } from "./config-schema.ts";
import { hasOption } from "../../config/catalogue.ts";
import { selectEntry } from "../../config/load-entry.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import type { SignalSource, TokenRule } from "../../contract/index.ts";
import { rowsOfStep } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { UserError } from "../../system/errors.ts";
import { isAdapted } from "../../model/adapters/with-adapter.ts";
import { loadModel, type Model } from "../../model/model.ts";
import { afterWarmup } from "../../selection/after-warmup.ts";
import { rules } from "../../selection/catalogue.ts";
import { columnSource, lossColumn } from "../../training/sources.ts";
import { movingAverageSource, snapshotSource } from "../../training/earlier-state.ts";
import { engineKey, type RunInputs } from "../kit/inputs.ts";
import { startOf } from "../kit/adapter.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { requireStepwise } from "../../training/weigh.ts";
import type { Reporter } from "../kit/reporter.ts";
import { orderOf, stepsOver } from "../kit/row-order.ts";

/** The rule of an arm, with the configuration's history where the rule has that option. */
export async function ruleOf(selection: MethodChoice, { history }: FinetuneConfig): Promise<TokenRule> {
  const choice = hasOption(rules, selection.method, "history") ? { ...selection, history } : selection;
  const rule = await selectEntry(rules, choice, process.cwd());
  requireStepwise(rule);
  return rule;
}

/** The rule as a run of so many steps follows it: a self-evolving one has no reference in the first part. */
export function ruleOfRun(rule: TokenRule, config: FinetuneConfig, tokens: TokenizedDataset): TokenRule {
  const { selfEvolving } = config;
  if (selfEvolving === undefined || !rule.needs.includes("referenceNll")) return rule;
  return afterWarmup(rule, stepsOfPart(selfEvolving, config, tokens));
}

function stepsOfPart({ parts }: { parts: number }, config: FinetuneConfig, tokens: TokenizedDataset): number {
  return Math.ceil(stepsOver(config, tokens) / parts);
}

/** The second models that a rule needs, as signal sources. */
export async function openSources(
  rule: TokenRule,
  model: Model,
  config: FinetuneConfig,
  inputs: RunInputs,
  reporter: Reporter,
): Promise<{ sources: SignalSource[]; dispose(): void }> {
  const sources: SignalSource[] = [];
  const disposals: (() => void)[] = [];
  const fixed = async (signal: "historyNll" | "referenceNll", path: string | undefined) => {
    const losses = await fixedLosses(path, model, config, inputs, reporter);
    sources.push(columnSource(signal, inputs.tokens, losses));
  };
  if (rule.needs.includes("historyNll")) {
    const { source, decay } = config.history;
    if (source === "ema") {
      const mean = await movingAverageSource(model, { decay });
      sources.push(mean);
      disposals.push(mean.dispose);
    } else if (source !== "none") await fixed("historyNll", source === "base" ? undefined : source);
  }
  if (rule.needs.includes("referenceNll") && config.selfEvolving !== undefined) {
    const earlier = await snapshotSource(model, { every: stepsOfPart(config.selfEvolving, config, inputs.tokens) });
    sources.push(earlier);
    disposals.push(earlier.dispose);
  } else if (rule.needs.includes("referenceNll")) {
    if (config.reference === undefined)
      throw new UserError("missing-option", "the rule needs a reference model", {
        where: rule.name,
        fix: "Give its path as `reference`.",
      });
    await fixed("referenceNll", config.reference);
  }
  return { sources, dispose: () => disposals.forEach((dispose) => dispose()) };
}

/** What a rule with an anchor is held near, the starting model: the trunk of an adapter, or a copy. */
export async function openAnchor(
  { anchor }: TokenRule,
  model: Model,
  { adapter }: FinetuneConfig,
  { openModel }: Pick<RunInputs, "openModel">,
): Promise<{ reference?: Model; dispose(): void }> {
  if (anchor === undefined) return { dispose: () => undefined };
  if (isAdapted(model)) {
    const { model: reference, release } = await startOf(model.trunk as Model, adapter);
    return { reference, dispose: release };
  }
  const reference = await openModel();
  return { reference, dispose: reference.dispose };
}

/** Losses under a model that does not change, of the rows that the run will train: the starting model, or another. */
async function fixedLosses(
  path: string | undefined,
  base: Model,
  config: FinetuneConfig,
  { tokens, engine }: RunInputs,
  reporter: Reporter,
): Promise<Float32Array> {
  const start = isAdapted(base) ? await startOf(base.trunk as Model, config.adapter) : undefined;
  const other = path === undefined ? undefined : await loadModel(path, { weights: "as-stored" });
  if (other !== undefined && other.tokenizer.fingerprint !== base.tokenizer.fingerprint) {
    other.dispose();
    throw new UserError("tokenizer-mismatch", "this model splits text into other tokens than the model in training", {
      where: path!,
      fix: "Token losses can only be compared under one tokenizer: name a model of the same family.",
    });
  }
  const earlier = other ?? start?.model ?? base; // no step has been taken yet, nor a checkpoint read
  const rows = rowsOfRun(config, tokens);
  const { batchSize, microBatchSize = batchSize, packing } = orderOf(config);
  const atOnce = packing === undefined ? `${microBatchSize}` : `${microBatchSize} x ${packing}`;
  const model = async () => ({ model: earlier, release: () => undefined });
  try {
    const losses = await lossColumn(tokens, {
      rows,
      // The last bit of a loss may depend on the rows beside it: only a run that scores the same batches may share it.
      key: ["losses", earlier.fingerprint, engineKey(engine), atOnce, rowsKey(rows, tokens)].join(" "),
      ...{ batchSize: microBatchSize, packing },
      ...(config.data.cache !== undefined && { cacheFolder: config.data.cache }),
      model,
      onProgress: (done, total) => reporter.working("losses of the earlier model", done, total),
      onNotice: reporter.note,
    });
    const known = new Set(rows);
    const pictured = listedPlaces(config.report, tokens, "data.train").filter((row) => !known.has(row));
    if (pictured.length === 0) return losses;
    const others = await lossColumn(tokens, { rows: pictured, key: "", model, batchSize: microBatchSize, packing });
    return losses.map((loss, i) => (Number.isNaN(loss) ? others[i]! : loss));
  } finally {
    other?.dispose();
    start?.release();
  }
}

function rowsKey(rows: readonly number[], tokens: TokenizedDataset): string {
  if (rows.length === tokens.length) return "all";
  return createHash("sha256").update(Uint32Array.from(rows)).digest("hex").slice(0, 16);
}

/**
 * The rows that the run trains: in the order of their first use, so that a run of more steps scores the same batches
 * first; all of them in that of the data, so that any run may share their losses.
 */
function rowsOfRun(config: FinetuneConfig, tokens: TokenizedDataset): number[] {
  const order = orderOf(config);
  const steps = stepsOver(config, tokens);
  const rows = new Set<number>();
  for (let step = 0; step < steps && rows.size < tokens.length; step++)
    for (const row of rowsOfStep(tokens, order, step)) rows.add(row);
  return rows.size === tokens.length ? [...rows].sort((a, b) => a - b) : [...rows];
}
