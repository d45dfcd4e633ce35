import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadGates, type SavedGates } from "../eviction/gates/files.ts";
import type { GateUse, ResolvedUse } from "../eviction/gates/use.ts";
import type { Model } from "../model/model.ts";
import { maySampleBe } from "../model/weight-sample.ts";
import { UserError } from "../system/errors.ts";
import { amount, requiredValue, wholeNumber } from "./values.ts";
import { optional } from "../system/optional.ts";

/** The flags of every command that evicts by trained gates. */
export const gateFlags = {
  gates: { type: "string", value: "DIR", description: "Trained gates: the folder gates/ of a run." },
  sinks: {
    type: "string",
    value: "N",
    description: "First tokens that always stay. Default: as the gates were trained.",
  },
  window: {
    type: "string",
    value: "N",
    description: "Last tokens of a prompt that always stay. Default: as the gates were trained.",
  },
  threshold: {
    type: "string",
    value: "P",
    description: "Evict what the gates keep with at most this probability. Default: as the gates were trained.",
  },
} as const;

/** Of a command that evicts once a prompt has been read. */
export const budgetFlag = {
  keep: {
    type: "string",
    value: "RATIO",
    description:
      "Share of the prompt that gates keep which were trained to foresee attention. Default: as in gates.json.",
  },
} as const;

type GateValues = { readonly [K in keyof typeof gateFlags | keyof typeof budgetFlag]?: string };

/** Checked before anything is loaded. */
export interface GateRequest {
  readonly folder: string;
  readonly changed: Pick<GateUse, "sinks" | "window" | "threshold" | "ratio">;
}

/**
 * What the flags ask for; undefined without --gates.
 * @throws UserError for a number out of range, or one that has no gates to change
 */
export function gateRequest(values: GateValues): GateRequest | undefined {
  const sinks = wholeNumber("sinks", values.sinks, { minimum: 0 });
  const window = wholeNumber("window", values.window, { minimum: 0 });
  const threshold = amount("threshold", values.threshold);
  if (threshold !== undefined && threshold >= 1)
    throw new UserError("invalid-option", `--threshold is ${threshold}, but must be below 1`);
  const ratio = amount("keep", values.keep);
  if (ratio !== undefined && !(ratio > 0 && ratio <= 1))
    throw new UserError("invalid-option", `--keep is ${ratio}, but must be above 0 and at most 1`);
  const changed = optional({ sinks, window, threshold, ratio });
  const stray = (["sinks", "window", "threshold", "keep"] as const).find((flag) => values[flag] !== undefined);
  if (values.gates !== undefined) return { folder: requiredValue("gates", values.gates, "a folder of gates"), changed };
  if (stray !== undefined)
    throw new UserError("unused-option", `--${stray} has no gates to change`, { fix: "Give --gates DIR." });
  return undefined;
}

/** Gates on the engine, with how they are to decide. */
export interface OpenGates extends Disposable {
  readonly gates: SavedGates;
  readonly use: ResolvedUse;
}

/**
 * Loads the gates that were asked for.
 * @param say told if they were trained in front of another model
 * @throws UserError for a model that lacks what was trained together with them, and for a flag of gates of another kind
 */
export async function openGates(
  { folder, changed }: GateRequest,
  model: Model,
  say: (sentence: string) => void,
): Promise<OpenGates> {
  const gates = await loadGates(folder, model);
  if (gates.modelBefore === model.fingerprint) {
    gates.dispose();
    throw withoutTraining(folder, model);
  }
  const foreign = foreignFlag(gates.use, changed);
  if (foreign !== undefined) {
    gates.dispose();
    throw new UserError("unused-option", foreign, { where: `--gates ${folder}` });
  }
  if (gates.sample && !(await maySampleBe(gates.sample, model)))
    say(
      `${folder}: the gates were trained in front of another model than ${model.source}, which has the same shape and other ` +
        `weights; what they evict here was never measured. The model that they belong to is named in ${join(folder, "README.md")}.`,
    );
  return { gates, use: { ...gates.use, ...changed }, [Symbol.dispose]: gates.dispose };
}

/** Why a flag means nothing to gates that decide otherwise. */
function foreignFlag({ ratio }: ResolvedUse, changed: GateRequest["changed"]): string | undefined {
  if (ratio !== undefined && changed.threshold !== undefined)
    return "--threshold is not used: these gates keep the best of a prompt, so many as --keep says";
  if (ratio === undefined && changed.ratio !== undefined)
    return "--keep is not used: these gates keep what is likely enough, as --threshold says";
  return undefined;
}

/** Says what of the run lies beside the gates and belongs to them. */
function withoutTraining(folder: string, { source }: Model): UserError {
  const [adapter, model] = ["adapter", "model"].map((name) => join(dirname(folder), name)) as [string, string];
  const [adapted, whole] = [adapter, model].map((path) => existsSync(path));
  const what = adapted || !whole ? "an adapter" : "the weights of the model";
  const fixes = [
    ...(adapted || !whole ? [`--model ${source} --adapter ${adapter}`] : []),
    ...(whole || !adapted ? [`--model ${model}`] : []),
  ];
  return new UserError("model-mismatch", `the gates were trained together with ${what}, and are wrong without`, {
    where: `--gates ${folder}`,
    fix: `Give what the run has trained: ${fixes.join(", or ")}`,
  });
}
