import type { Forward, TokenBatch } from "../contract/index.ts";
import { forward, type ForwardOptions } from "../model/forward.ts";
import { gradientStore, type GradientStore } from "../model/gradients.ts";
import { isAdapted } from "../model/adapters/with-adapter.ts";
import type { Decoder } from "../model/decoder.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Schedule } from "./schedule.ts";
import { clippedUpdate, type NotFiniteGradient } from "./update.ts";

/** What a pass computes beside log-probabilities, and how. */
export type PassOptions = Omit<ForwardOptions, "gradients">;

/** What is trained, and the first phase of a step on it: a decoder, or a decoder under another head. */
export interface Trainee {
  /** @param gradients receives the parameters' gradients in the second phase; null computes none */
  pass(batch: TokenBatch, gradients: GradientStore | null, options: PassOptions): Forward;
  /** Says which optimizer step the next passes belong to: names an adapter's dropout. */
  startStep(step: number): void;
}

/** What `createLearner` puts beside a model. */
export interface LearnerOptions {
  optimizer: Optimizer;
  /** Learning rate of an optimizer step, counted from 0. */
  schedule: Schedule;
  /** Largest global norm of the gradient; 0 never clips. Default 1. */
  clipNorm?: number;
  /** Of every pass, as far as a pass does not say otherwise. */
  pass?: PassOptions;
  /** Told of a gradient that is not finite, in place of an error; its update is left out, and the schedule does not count it. */
  onNotFinite?: ((found: NotFiniteGradient) => Promise<void>) | undefined;
}

/** A model in training with its optimizer and schedule. */
export interface Learner {
  readonly optimizer: Optimizer;
  /** Says which optimizer step, counted from 0, what follows belongs to. */
  startStep(step: number): void;
  /** Lets the next passes draw again what those of this step have drawn (an adapter's dropout), from the first one on. */
  rewind(): void;
  /** Opens a pass whose second phase adds to the gradient of the step under way. Dispose of it after use. */
  forward(batch: TokenBatch, options?: PassOptions): Forward;
  /** The same for reading alone: it keeps nothing for a second phase. */
  read(batch: TokenBatch, options?: PassOptions): Forward;
  /**
   * Clips the summed gradient, updates the parameters at the schedule's rate, and forgets the gradient.
   * @returns the gradient's norm before clipping, and the rate
   * @throws UserError for a gradient that is not finite; nothing is updated then. Where `onNotFinite` is given, the update
   * is left out instead, and the norm is not finite.
   */
  update(): Promise<StepUpdate>;
  /** Forgets the gradient of a step that is not to update anything. */
  skip(): StepUpdate;
}

/** What an update was. */
export interface StepUpdate {
  readonly gradNorm: number;
  readonly learningRate: number;
}

/**
 * Puts a model, an optimizer and a schedule together.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { adamW, createLearner } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-4, clipNorm: 1 });
 * learner.startStep(0);
 * const pass = learner.forward(batch);
 * pass.backward({ logProb: Float32Array.of(0, 0, -0.5, -0.5) });
 * pass[Symbol.dispose]();
 * const { learningRate } = await learner.update();
 * learningRate; //=> 0.0001
 * releaseEngine();
 */
export function createLearner(trainee: Decoder | Trainee, options: LearnerOptions): Learner {
  const { optimizer, schedule, clipNorm = 1, onNotFinite } = options;
  const { pass, startStep } = "pass" in trainee ? trainee : decoderTrainee(trainee);
  const gradients = gradientStore();
  let current = 0;
  const rate = (): number => {
    const { skipped = 0, learningRateScale = 1 } = optimizer;
    return learningRateScale * schedule(current - skipped);
  };
  return {
    optimizer,
    startStep(step) {
      current = step;
      gradients.clear();
      startStep(step);
    },
    rewind: () => startStep(current),
    forward: (batch, own) => pass(batch, gradients, { ...options.pass, ...own }),
    read: (batch, own) => pass(batch, null, { ...options.pass, gradientCheckpointing: false, ...own }),
    async update() {
      const learningRate = rate();
      try {
        const step = current + 1;
        const gradNorm = await clippedUpdate(optimizer, gradients, { learningRate, clipNorm, step, onNotFinite });
        return { gradNorm, learningRate };
      } finally {
        gradients.clear();
      }
    },
    skip() {
      gradients.clear();
      return { gradNorm: 0, learningRate: rate() };
    },
  };
}

function decoderTrainee(model: Decoder): Trainee {
  return {
    pass: (batch, gradients, options) => forward(model, batch, { ...options, gradients }),
    startStep(step) {
      if (isAdapted(model)) model.adapter.startStep(step);
    },
  };
}
