import type { DecoderConfig } from "../../model/config.ts";
import { oneOf, refuse, wholeNumber } from "../../system/refuse-option.ts";

/** What a gate network is made of; one copy of it sits in front of every layer's attention. All defaults are ours. */
export interface GateNetworkOptions {
  /**
   * What it reads of a token: `hidden`, the layer's normalised hidden state; `key-value`, the layer's rotated keys and its
   * values of all key-value heads, standardised (see `measureInputs`). Default `hidden`.
   */
  readonly input?: GateInput;
  /**
   * `attention`: the token's hidden state compares itself with those around it; `linear`: one matrix; `mlp`: one hidden
   * layer. Default `attention`.
   */
  readonly kind?: GateKind;
  /** Of `attention`, what a token sees: `causal` those before it, `global` its whole prompt. Default `causal`. */
  readonly scope?: "causal" | "global";
  /** Of `attention`. Default 4. */
  readonly heads?: number;
  /** Of `attention`: numbers per head. Default: width / (8 heads), at least 4. */
  readonly headSize?: number;
  /** Of `mlp`: width of the hidden layer. Default: a quarter of the model's. */
  readonly inner?: number;
  /** Probability of keeping a token before training, in (0.5, 1): hard gates then change nothing. Default 0.99. */
  readonly initialKeep?: number;
  /** Names the random streams of fresh weights. Default 0. */
  readonly seed?: number;
}

export type GateInput = "hidden" | "key-value";

export type GateKind = "attention" | "linear" | "mlp";

/** All options given. */
export type GateNetworkSettings = Readonly<Required<GateNetworkOptions>>;

/** Throws a UserError that names the option at fault. */
export function resolveGateNetwork(options: GateNetworkOptions, { width }: DecoderConfig): GateNetworkSettings {
  const heads = options.heads ?? 4;
  wholeNumber("heads", heads, 1);
  const settings = {
    input: "hidden",
    kind: "attention",
    scope: "causal",
    heads,
    headSize: Math.max(4, Math.floor(width / (8 * heads))),
    inner: Math.max(1, Math.floor(width / 4)),
    initialKeep: 0.99,
    seed: 0,
    ...options,
  } as const;
  oneOf("input", settings.input, ["hidden", "key-value"]);
  oneOf("kind", settings.kind, ["attention", "linear", "mlp"]);
  oneOf("scope", settings.scope, ["causal", "global"]);
  wholeNumber("headSize", settings.headSize, 1);
  wholeNumber("inner", settings.inner, 1);
  wholeNumber("seed", settings.seed, 0);
  if (!(settings.initialKeep > 0.5 && settings.initialKeep < 1))
    refuse("initialKeep", settings.initialKeep, "above 0.5 and below 1");
  return settings;
}

type Shapes = [name: string, shape: readonly number[]][];

/** Numbers that a gate reads of a token. */
export function inputWidth(
  { input }: Pick<GateNetworkSettings, "input">,
  { width, keyValueHeads, headSize }: DecoderConfig,
): number {
  return input === "hidden" ? width : 2 * keyValueHeads * headSize;
}

/** Tensors of one layer's gate to train, by name. */
export function gateShapes(settings: GateNetworkSettings, config: DecoderConfig): Shapes {
  const { input, kind, heads, headSize, inner } = settings;
  const { keyValueHeads } = config;
  const inputs = inputWidth(settings, config);
  const rank = heads * headSize;
  const bias: Shapes[number] = ["bias", [keyValueHeads]];
  if (kind === "linear") return [["weight", [keyValueHeads, inputs]], bias];
  if (kind === "mlp") {
    const innerBias: Shapes = input === "key-value" ? [["innerBias", [inner]]] : [];
    return [["up", [inner, inputs]], ...innerBias, ["down", [keyValueHeads, inner]], bias];
  }
  const projections = ["query", "key", "value"].map((name): Shapes[number] => [name, [rank, inputs]]);
  return [...projections, ["output", [keyValueHeads, rank]], bias];
}

/** Tensors of one layer's gate that are measured before training: by what its inputs are standardised. */
export function constantShapes(settings: GateNetworkSettings, config: DecoderConfig): Shapes {
  if (settings.input === "hidden") return [];
  return ["mean", "deviation"].map((name) => [name, [inputWidth(settings, config)]]);
}
