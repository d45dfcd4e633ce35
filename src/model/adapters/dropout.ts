import * as tf from "@tensorflow/tfjs-core";
import { stream } from "../../system/random.ts";
import { differentiable } from "../../tensor/ops/fused.ts";

/** Dropout of an adapter's inputs. */
export interface Dropout {
  /** From here on masks are those of this optimizer step, from the start. */
  startStep(step: number): void;
  /**
   * Zeroes a share of `x [N, I]` and scales up the rest. Masks of a place go on where its last one ended, so the
   * micro-batches of a step get together the masks that they would get as one batch.
   * @throws Error before the first `startStep`
   */
  apply(x: tf.Tensor2D, layer: number, projection: string): tf.Tensor2D;
  /** Notes where a layer's masks stand; the function returned sets them back there. */
  mark(layer: number): () => void;
}

/** Masks are a pure function of seed, step, layer, projection and the entry's number in the step. */
export function createDropout(share: number, seed: number): Dropout {
  let step: number | undefined;
  const generators = new Map<string, MaskGenerator>();
  return {
    startStep(next) {
      step = next;
      generators.clear();
    },
    apply(x, layer, projection) {
      if (share === 0) return x;
      if (step === undefined) throw new Error("dropout: call the adapter's startStep before a training pass");
      const place = `${layer}.${projection}`;
      const generator = generators.get(place) ?? maskGenerator(share, seed, step, layer, projection);
      generators.set(place, generator);
      return masked(x, generator.fill(new Float32Array(x.size)));
    },
    mark(layer) {
      const own = (): [string, MaskGenerator][] => [...generators].filter(([place]) => place.startsWith(`${layer}.`));
      const states = new Map(own().map(([place, { state }]) => [place, Int32Array.from(state)]));
      return () => {
        for (const [place, { state }] of own()) {
          const before = states.get(place);
          if (before === undefined) generators.delete(place);
          else state.set(before);
        }
      };
    },
  };
}

function masked(x: tf.Tensor2D, values: Float32Array): tf.Tensor2D {
  return tf.tidy(() => {
    const mask = tf.tensor2d(values, x.shape);
    return differentiable<tf.Tensor2D>({
      inputs: [x],
      forward: (save) => {
        save([mask]);
        return tf.mul(x, mask);
      },
      gradient: (dy, [mask]) => [tf.mul(dy, mask!)],
    });
  });
}

interface MaskGenerator {
  readonly state: Int32Array;
  /** Fills with 0 and `1 / (1 - share)`, going on where it ended. */
  fill(mask: Float32Array): Float32Array;
}

/**
 * Draws 32-bit numbers that start from a named stream's first four: a mask has as many entries as a projection has
 * inputs, for which the stream itself would take too long. Marsaglia 2003, "Xorshift RNGs", the generator of 128 bits.
 */
function maskGenerator(
  share: number,
  ...names: [seed: number, step: number, layer: number, projection: string]
): MaskGenerator {
  const random = stream("adapter dropout", ...names);
  const state = Int32Array.from({ length: 4 }, () => random.below(2 ** 32));
  state[3]! |= 1; // all four zero would stay zero
  const threshold = share * 2 ** 32;
  const kept = 1 / (1 - share);
  const fill = (mask: Float32Array): Float32Array => {
    let [x, y, z, w] = state as unknown as [number, number, number, number];
    for (let i = 0; i < mask.length; i++) {
      const t = x ^ (x << 11);
      x = y;
      y = z;
      z = w;
      w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
      if (w >>> 0 >= threshold) mask[i] = kept;
    }
    state.set([x, y, z, w]);
    return mask;
  };
  return { state, fill };
}
