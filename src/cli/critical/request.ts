import { extname } from "node:path";
import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";
import { amount, requiredValue, wholeNumber } from "../values.ts";

interface Values {
  readonly [flag: string]: string | boolean | readonly string[] | undefined;
}

/** Where wrong answers come from: the model, the rows of the data, or a file of responses. */
export type AnswerSource = "sampled" | "data" | { readonly file: string };

/** The two models whose contrast gives the estimate. */
export interface ContrastRequest {
  readonly positive: string;
  readonly negative: string;
  readonly contrast: number;
  readonly plausibility: number;
}

/** What the flags ask for, checked before anything is loaded. */
export interface CriticalRequest {
  readonly model: string;
  readonly out: string;
  readonly source: AnswerSource;
  readonly rows: number;
  readonly samples: number;
  readonly perQuestion: number;
  readonly rollouts: number;
  /** First and last token of an answer to test. */
  readonly positions: readonly [first: number, last: number];
  /** How answers and continuations are drawn. */
  readonly sampling: {
    readonly temperature: number;
    readonly topP?: number;
    readonly topK?: number;
    readonly maxNewTokens: number;
    readonly seed: number;
  };
  readonly batchSize: number;
  readonly contrast: ContrastRequest | undefined;
  /** Column of token weights. */
  readonly weights: string | undefined;
}

/** @throws UserError naming the flag at fault */
export function criticalRequest(values: Values): CriticalRequest {
  const text = (flag: string): string | undefined => values[flag] as string | undefined;
  const whole = (flag: string, minimum = 1): number | undefined => wholeNumber(flag, text(flag), { minimum });
  const model = requiredValue("model", text("model"), "a model folder or a GGUF file");
  requiredValue("data", text("data"), "a data file");
  const out = requiredValue("out", text("out"), "a folder to write to");
  const source = sourceOf(text("answers") ?? "sampled");
  refuseUnused(values, source);
  return {
    ...{ model, out, source },
    rows: whole("rows") ?? 50,
    samples: whole("samples") ?? 4,
    perQuestion: whole("per-question") ?? 1,
    rollouts: whole("rollouts") ?? 64,
    positions: rangeOf(text("positions")),
    sampling: {
      temperature: above("temperature", text("temperature")) ?? 1,
      ...optional({ topP: above("top-p", text("top-p"), 1), topK: whole("top-k") }),
      maxNewTokens: whole("max-tokens") ?? 128,
      seed: whole("seed", 0) ?? 0,
    },
    batchSize: whole("batch-size") ?? 64,
    contrast: contrastOf(text),
    weights: text("weights"),
  };
}

function sourceOf(text: string): AnswerSource {
  if (text === "sampled" || text === "data") return text;
  if (extname(text).toLowerCase() === ".arrow") return { file: text };
  throw new UserError(
    "invalid-option",
    `--answers is ${JSON.stringify(text)}, but must be sampled, data or FILE.arrow`,
  );
}

function refuseUnused(values: Values, source: AnswerSource): void {
  const unused = (flag: string, reason: string, fix = "Leave it out."): void => {
    if (values[flag] !== undefined) throw new UserError("unused-option", `--${flag} is not used: ${reason}`, { fix });
  };
  if (source !== "sampled") unused("samples", "no answers are drawn from the model");
  if (source !== "data") unused("weights", "weights belong to the data's own answers", "Add --answers data.");
  if (source === "data") unused("per-question", "a row of the data has one answer");
  if (values["positive"] !== undefined) return;
  for (const flag of ["contrast", "plausibility"])
    unused(flag, "there is no contrast", "Give --positive and --negative.");
}

function contrastOf(text: (flag: string) => string | undefined): ContrastRequest | undefined {
  const [positive, negative] = [text("positive"), text("negative")];
  if (positive === undefined && negative === undefined) return undefined;
  const plausibility = amount("plausibility", text("plausibility")) ?? 0;
  if (plausibility > 1)
    throw new UserError("invalid-option", `--plausibility is ${plausibility}, but must be at most 1`);
  const contrast = amount("contrast", text("contrast")) ?? 1;
  const meaning = "an adapter or a model: a contrast is of two";
  return {
    positive: requiredValue("positive", positive, meaning),
    negative: requiredValue("negative", negative, meaning),
    ...{ contrast, plausibility },
  };
}

/** A number above 0, as continuations that are all the same find nothing. */
function above(flag: string, text: string | undefined, most = Infinity): number | undefined {
  const value = amount(flag, text);
  if (value === undefined || (value > 0 && value <= most)) return value;
  const end = most === Infinity ? "" : ` and at most ${most}`;
  throw new UserError("invalid-option", `--${flag} is ${value}, but must be above 0${end}`);
}

/** `5-20`, `5-` or `5`, from 0. */
function rangeOf(text: string | undefined): readonly [number, number] {
  if (text === undefined) return [0, Infinity];
  const [, first, dash, last] = /^(\d{1,9})(-)?(\d{1,9})?$/.exec(text) ?? [];
  const from = Number(first);
  const to = dash === undefined ? from : last === undefined ? Infinity : Number(last);
  if (first !== undefined && (dash !== undefined || last === undefined) && to >= from) return [from, to];
  throw new UserError("invalid-option", `--positions is ${JSON.stringify(text)}, but must be of the form 5-20 or 5-`, {
    fix: "Tokens of an answer are counted from 0.",
  });
}
