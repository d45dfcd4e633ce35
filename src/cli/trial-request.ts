import { realpathSync, statSync } from "node:fs";
import type { Dataset } from "../data/dataset.ts";
import { openDataset, openTable } from "../data/open-dataset.ts";
import type { DecoderConfig } from "../model/config.ts";
import { UserError } from "../system/errors.ts";
import { optional } from "../system/optional.ts";
import { terminalText } from "../system/visible-text.ts";
import { kindsNamed } from "../trial/kinds/catalogue.ts";
import { readLabels } from "../trial/labels.ts";
import type { ErrorSource } from "../trial/prepare.ts";
import { settingsFor, type TrialSettings } from "../trial/settings.ts";
import { datasetOptions, flagNames, openData, tokenOptions } from "./data-flags.ts";
import { amount, requiredValue, wholeNumber } from "./values.ts";

type Flag =
  | "kinds"
  | "share"
  | "labels"
  | "held-out"
  | "rows"
  | "max-tokens"
  | "ratio"
  | "steps"
  | "batch-size"
  | "learning-rate"
  | "seeds"
  | "seed";

type Values = { readonly [K in Flag]?: string } & Parameters<typeof tokenOptions>[0];

const defaults = { kinds: "numbers", share: 0.3, maxTokens: 512, seed: 42 };

/**
 * Reads what the flags say of a trial.
 * @throws UserError for a value out of range, an unknown kind, or kinds beside labels
 */
export function trialRequest(values: Values) {
  const seed = wholeNumber("seed", values.seed, { minimum: 0 }) ?? defaults.seed;
  const seeds = wholeNumber("seeds", values.seeds, { maximum: 100 }) ?? 1;
  const given = {
    steps: wholeNumber("steps", values.steps),
    batchSize: wholeNumber("batch-size", values["batch-size"]),
    learningRate: positive("learning-rate", values["learning-rate"], Infinity),
  };
  const rows = wholeNumber("rows", values.rows, { minimum: 2 });
  const maxTokens = wholeNumber("max-tokens", values["max-tokens"], { minimum: 2 }) ?? defaults.maxTokens;
  const errors = errorsAsked(values);
  return {
    ...{ seed, rows, errors },
    ratio: positive("ratio", values.ratio, 1),
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
    firstLine:
      errors.labels === undefined
        ? "This trial judges errors that it has planted itself, not those of your own data."
        : `This trial judges the errors that the column "${terminalText(errors.labels)}" marks.`,
    settingsOf(config: DecoderConfig): TrialSettings {
      const fitting = settingsFor(config);
      return {
        ...fitting,
        steps: given.steps ?? fitting.steps,
        batchSize: given.batchSize ?? fitting.batchSize,
        learningRate: given.learningRate ?? fitting.learningRate,
      };
    },
    tokenizing: ({ maxPositions }: DecoderConfig) => ({
      ...tokenOptions(values),
      maxTokens: Math.min(maxTokens, maxPositions),
      truncate: "skip" as const,
    }),
  };
}

function errorsAsked(values: Values): { kinds?: string[]; share?: number; labels?: string } {
  const { labels, kinds, share } = values;
  if (labels === undefined) {
    const names = kindsNamed(kinds ?? defaults.kinds).map(({ name }) => name);
    return { kinds: names, share: positive("share", share, 1) ?? defaults.share };
  }
  const unused = kinds !== undefined ? "kinds" : share !== undefined ? "share" : undefined;
  if (unused === undefined) return { labels };
  throw new UserError("conflicting-options", `--${unused} is of errors that are planted, and --labels plants none`, {
    fix: "Leave out one of the two.",
  });
}

function positive(flag: string, text: string | undefined, most: number): number | undefined {
  const value = amount(flag, text);
  if (value === undefined || (value > 0 && value <= most)) return value;
  const range = most === Infinity ? "above 0" : `above 0 and at most ${most}`;
  throw new UserError("invalid-option", `--${flag} is ${value}, but must be ${range}`);
}

/** The data of a trial, open. */
export interface TrialData extends AsyncDisposable {
  readonly dataset: Dataset;
  readonly heldOut?: Dataset;
  readonly errors: ErrorSource;
}

/** Opens the data that the flags name, and reads the labels, if there are any. */
export async function openTrialData(
  values: { data?: string; format?: string; field?: string[]; split?: string; "held-out"?: string },
  { errors }: Pick<ReturnType<typeof trialRequest>, "errors">,
): Promise<TrialData> {
  const path = requiredValue("data", values.data, "a data file");
  const { format, field, split } = values;
  const reading = optional({ format, field, split });
  const open: Dataset[] = [];
  const close = async (): Promise<void> => {
    for (const dataset of open) await dataset.close();
  };
  try {
    const dataset = await openData({ ...reading, data: path });
    open.push(dataset);
    const measured = values["held-out"];
    const heldOut = measured === undefined ? undefined : await openHeldOut(measured, reading);
    if (heldOut !== undefined) {
      open.push(heldOut);
      requireOtherFiles(dataset, heldOut);
    }
    const source = await errorSource(errors, path, split);
    return { dataset, ...(heldOut && { heldOut }), errors: source, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is said of these rows names their own flag. */
function openHeldOut(path: string, reading: Parameters<typeof datasetOptions>[0]): Promise<Dataset> {
  return openDataset(path, { ...datasetOptions(reading), names: flagNames({ data: "--held-out " }) });
}

/** @throws UserError where a file of the rows to train is one of the held-out rows, by whatever name */
function requireOtherFiles({ files }: Dataset, heldOut: Dataset): void {
  const identity = (path: string): string => {
    const { dev, ino } = statSync(path, { bigint: true });
    return ino === 0n ? realpathSync(path) : `${dev} ${ino}`; // some file systems number nothing
  };
  const known = new Map(files.map((path) => [identity(path), path]));
  for (const path of heldOut.files) {
    const same = known.get(identity(path));
    if (same === undefined) continue;
    throw new UserError("conflicting-options", "--held-out is the file of --data: its rows would be trained", {
      where: same === path ? path : `${path} (${same})`,
      fix: "Name other rows, or leave out --held-out: then some of the rows of --data are held out.",
    });
  }
}

async function errorSource(
  { labels, kinds, share }: ReturnType<typeof errorsAsked>,
  path: string,
  split: string | undefined,
): Promise<ErrorSource> {
  if (labels === undefined) return { kinds: kindsNamed(kinds!.join(",")), share: share! };
  const { name, table } = await openTable(path, { ...optional({ split }), names: flagNames() });
  try {
    return await readLabels(table, labels, name);
  } finally {
    await table.close();
  }
}
