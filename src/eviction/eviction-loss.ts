/**
 * Eviction loss of Attention-Gate, https://arxiv.org/abs/2410.12876: pulls the share of kept entries towards a target.
 *
 *     L = α mean_l f(mean(AG_l) - β)      linear f(x) = x   abs |x|   square x²   hinge max(0, x)
 *
 * `mean(AG_l)` runs over the entries that a gate may evict. The paper prints `linear`, in which β has no gradient: it
 * presses as hard below the target as above it. Ours: the other forms, `head` (f of each head's mean), `global` (f of
 * the mean over layers), the ramp, `each` (f of each row's mean), which alone does not depend on micro-batches.
 */
import type { LossTerm } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type EvictionLossOptions, type EvictionLossSettings, resolveEvictionLoss, targetAt } from "./loss-options.ts";
import { type GatedShape, checkEntries, checkShape, checkSize } from "./shape.ts";

/** The addend that presses on the gates. */
export interface EvictionTerm extends LossTerm {
  /** Rows with an evictable token (`each`), or 1 (`pooled`); 0 where nothing is evictable. */
  readonly mass: number;
  /** Per layer `[rows * width * heads]`, 0 on exempt tokens and padding. */
  readonly dGates: Float32Array[];
}

export interface EvictionMetrics {
  /** Mean gate over evictable entries of all layers; 1 where there are none. */
  keepShare: number;
  /** The same over all real entries, where exempt ones count 1. */
  keepShareOfAll: number;
  /** β at this step. */
  target: number;
}

/** The loss that pulls gates towards a share of kept entries; made by `evictionLoss`. */
export interface EvictionLoss {
  readonly settings: EvictionLossSettings;
  /** What a person should know before training with these options; show it once. */
  readonly warning?: string;
  /**
   * @param gates per layer `[rows * width * heads]`: probabilities, or the `value` of `decideGates` (whose `backward`
   *   then carries the gradient to the probabilities); `pooled` needs the whole optimizer step at once
   * @param batch the shape that all layers share
   * @param step optimizer steps finished before this one, for the ramp
   * @throws UserError for arrays that do not fit or a gate that is not finite (naming layer, row, token, head)
   */
  at(
    gates: readonly Float32Array[],
    batch: GatedShape,
    step?: number,
  ): { term: EvictionTerm; metrics: EvictionMetrics };
}

const forms = {
  linear: (x: number) => [x, 1] as const,
  abs: (x: number) => [Math.abs(x), Math.sign(x)] as const,
  square: (x: number) => [x * x, 2 * x] as const,
  hinge: (x: number) => [Math.max(0, x), Number(x > 0)] as const,
};

/**
 * The loss of a preset or of options; options given beside a preset win.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2410.12876
 * @example
 * import { evictionLoss } from "tokensift/eviction";
 *
 * const loss = evictionLoss({ form: "hinge", target: 0.4 });
 * const batch = { rows: 1, width: 4, heads: 1, lengths: [4], evictable: Uint8Array.of(1, 1, 1, 1) };
 * const { term } = loss.at([Float32Array.of(0.9, 0.5, 0.7, 0.3)], batch);
 * term.sum; //=> 0.2
 */
export function evictionLoss(options: EvictionLossOptions = {}): EvictionLoss {
  const settings = resolveEvictionLoss(options);
  const warning =
    "The linear eviction loss has no equilibrium: the target shifts its value, never its gradient, so it evicts until " +
    "the language-model loss pushes back. Use form hinge, abs or square to reach a target.";
  return {
    settings,
    ...(settings.form === "linear" && { warning }),
    at(gates, batch, step = 0) {
      check(gates, batch);
      const target = targetAt(settings, step);
      const dGates = gates.map((layer) => new Float32Array(layer.length));
      const rows = Array.from({ length: batch.rows }, (_, row) => row);
      const groups = settings.rows === "each" ? rows.map((row) => [row]) : [rows];
      let [sum, mass] = [0, 0];
      for (const group of groups) {
        const places = evictablePlaces(group, batch);
        if (places.length === 0) continue;
        mass++;
        sum += addGroup(gates, places, batch.heads, target, settings, dGates);
      }
      return { term: { sum, mass, dGates }, metrics: { ...shares(gates, batch), target } };
    },
  };
}

/** Tokens `row * width + t` of these rows that a gate may evict. */
function evictablePlaces(rows: readonly number[], batch: GatedShape): number[] {
  const places: number[] = [];
  for (const row of rows) {
    for (let i = row * batch.width; i < row * batch.width + batch.lengths[row]!; i++)
      if (batch.evictable[i]) places.push(i);
  }
  return places;
}

/** The loss of one group of rows; adds its gradient to `dGates`. */
function addGroup(
  gates: readonly Float32Array[],
  places: readonly number[],
  heads: number,
  target: number,
  { form, scope, alpha }: EvictionLossSettings,
  dGates: readonly Float32Array[],
): number {
  const cells = gates.flatMap((layer, l) => Array.from({ length: heads }, (_, h) => ({ layer, l, h })));
  const means = cells.map(({ layer, h }) => places.reduce((sum, i) => sum + layer[i * heads + h]!, 0) / places.length);
  const perUnit = { head: 1, layer: heads, global: cells.length }[scope];
  const units = cells.length / perUnit;
  let value = 0;
  for (let unit = 0; unit < units; unit++) {
    const members = { from: unit * perUnit, to: (unit + 1) * perUnit };
    const mean = means.slice(members.from, members.to).reduce((sum, m) => sum + m, 0) / perUnit;
    const [loss, slope] = forms[form](mean - target);
    value += (alpha * loss) / units;
    const each = (alpha * slope) / (units * perUnit * places.length);
    for (const { l, h } of cells.slice(members.from, members.to))
      for (const i of places) dGates[l]![i * heads + h] = each;
  }
  return value;
}

function shares(
  gates: readonly Float32Array[],
  { rows, width, heads, lengths, evictable }: GatedShape,
): { keepShare: number; keepShareOfAll: number } {
  let [kept, open, all] = [0, 0, 0];
  for (const layer of gates) {
    for (let row = 0; row < rows; row++) {
      all += lengths[row]! * heads;
      for (let i = row * width; i < row * width + lengths[row]!; i++) {
        if (!evictable[i]) continue;
        open += heads;
        for (let h = 0; h < heads; h++) kept += layer[i * heads + h]!;
      }
    }
  }
  return { keepShare: open === 0 ? 1 : kept / open, keepShareOfAll: (all - open + kept) / all };
}

function check(gates: readonly Float32Array[], batch: GatedShape): void {
  checkShape(batch);
  checkSize("evictable", batch.evictable, batch.rows * batch.width);
  if (gates.length === 0)
    throw new UserError("wrong-shape", "There are no gates.", { fix: "Hand in one array per layer." });
  gates.forEach((layer, l) => checkEntries(`layer ${l}: The gate`, layer, batch));
}
