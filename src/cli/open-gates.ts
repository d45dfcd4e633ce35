import { loadGates, type SavedGates } from "../eviction/gates/files.ts";
import type { GateUse } from "../eviction/gates/use.ts";
import type { Decoder } from "../model/decoder.ts";
import { UserError } from "../system/errors.ts";
import { amount, requiredValue, wholeNumber } from "./values.ts";

/** The flags of every command that evicts by trained gates. */
export const gateFlags = {
  gates: { type: "string", value: "DIR", description: "Gates that a run of attention-gate has trained (gates/)." },
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

type GateValues = { readonly [K in keyof typeof gateFlags]?: string };

/** Checked before anything is loaded. */
export interface GateRequest {
  readonly folder: string;
  readonly changed: Pick<GateUse, "sinks" | "window" | "threshold">;
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
  const changed = {
    ...(sinks !== undefined && { sinks }),
    ...(window !== undefined && { window }),
    ...(threshold !== undefined && { threshold }),
  };
  const stray = Object.keys(changed)[0];
  if (values.gates !== undefined) return { folder: requiredValue("gates", values.gates, "a folder of gates"), changed };
  if (stray !== undefined)
    throw new UserError("unused-option", `--${stray} has no gates to change`, { fix: "Give --gates DIR." });
  return undefined;
}

/** Gates on the engine, with how they are to decide. */
export interface OpenGates extends Disposable {
  readonly gates: SavedGates;
  readonly use: Required<GateUse>;
}

/** Loads the gates that were asked for. */
export async function openGates({ folder, changed }: GateRequest, model: Pick<Decoder, "config">): Promise<OpenGates> {
  const gates = await loadGates(folder, model);
  return { gates, use: { ...gates.use, ...changed }, [Symbol.dispose]: gates.dispose };
}
