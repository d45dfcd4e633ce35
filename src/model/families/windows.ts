import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show, type Fields } from "../fields.ts";

/** A window and the layers that have it. */
export type WindowFacts = Pick<DecoderConfig, "window" | "windowLayers">;

/**
 * The layers that `layer_types` gives a window, undefined where the file has no such key.
 * @throws UserError for types of layers that are not computed here
 */
export function listedWindows(fields: Fields, where: string, layers: number): number[] | undefined {
  const types = fields.raw("layer_types");
  if (types === undefined) return undefined;
  if (!Array.isArray(types) || types.length !== layers) {
    throw new UserError("invalid-model-config", `layer_types must be a list of ${layers}, one for each layer`, {
      where,
    });
  }
  const known = ["full_attention", "sliding_attention"];
  const foreign = types.find((type) => !known.includes(type as string)) as unknown;
  if (foreign !== undefined) {
    throw new UserError("unsupported-model", `the layer type ${show(foreign)} is not supported`, {
      where,
      fix: `Supported are ${known.join(" and ")}.`,
    });
  }
  return [...types.keys()].filter((layer) => types[layer] === "sliding_attention");
}

/** Refuses windows in a family that has none. */
export function refuseWindows(fields: Fields, where: string, layers: number): void {
  if ((listedWindows(fields, where, layers)?.length ?? 0) === 0) return;
  throw new UserError("unsupported-model", "this family has no layers with a window, but layer_types names some", {
    where,
  });
}

/**
 * `sliding_window`, undefined where the file says that there is none.
 * @param assumed what transformers assumes where the key is absent
 */
export function parseWindow(fields: Fields, assumed?: number): number | undefined {
  const isNone = fields.raw("sliding_window") === undefined && (fields.has("sliding_window") || assumed === undefined);
  return isNone ? undefined : fields.integer("sliding_window", { min: 1, ...(assumed && { fallback: assumed }) });
}

/**
 * A window and the layers that have it.
 * @throws UserError for layers that would have a window of no size
 */
export function windowFacts(window: number | undefined, windowLayers: readonly number[], where: string): WindowFacts {
  if (windowLayers.length === 0) return {};
  if (window !== undefined) return { window, windowLayers };
  throw new UserError("invalid-model-config", "layers have a window, but sliding_window does not say how wide it is", {
    where,
  });
}

/** The windows of Qwen 2 and its like: in force where `use_sliding_window` says so. */
export function parseOptionalWindows(
  fields: Fields,
  where: string,
  layers: number,
  { assumed, layersOf }: { assumed?: number; layersOf: () => number[] },
): WindowFacts {
  const inUse = fields.boolean("use_sliding_window", false);
  const listed = listedWindows(fields, where, layers);
  if (!inUse && listed !== undefined && listed.length > 0) {
    throw new UserError("invalid-model-config", "layer_types gives layers a window, but use_sliding_window is false", {
      where,
      fix: "Set use_sliding_window as the model was trained.",
    });
  }
  const window = inUse ? parseWindow(fields, assumed) : undefined;
  return windowFacts(window, listed ?? (window === undefined ? [] : layersOf()), where);
}

/** `layer_types` as transformers 5 has it. */
export function layerTypes({ layers, windowLayers = [] }: Pick<DecoderConfig, "layers" | "windowLayers">): string[] {
  return Array.from({ length: layers }, (_, layer) =>
    windowLayers.includes(layer) ? "sliding_attention" : "full_attention",
  );
}

/** Numbers from `first` up to `end`, without it. */
export function numbersFrom(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/** Every `interval`-th of the layers, from 0. */
export function everyNth(interval: number, layers: number): number[] {
  return numbersFrom(0, layers).filter((layer) => (layer + 1) % interval === 0);
}

/** The others. */
export function allButEvery(interval: number, layers: number): number[] {
  return numbersFrom(0, layers).filter((layer) => (layer + 1) % interval !== 0);
}
