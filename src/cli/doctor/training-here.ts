import type { DecoderConfig } from "../../model/config.ts";
import { decoderTensors, familyOf } from "../../model/families/index.ts";
import { estimateTrainingMemory, type TrainingMemory } from "../../model/memory.ts";
import { memoryOfProcess } from "../../system/process-memory.ts";
import { optional } from "../../system/optional.ts";
import type { Speed } from "./speed.ts";

/** What training a model on this machine takes, by estimates. */
export interface TrainingHere {
  /** Of the row that the estimates are made for; all of them train. */
  tokens: number;
  /** Bytes that this process may have. */
  memory: number;
  /** Numbers of the matrices that every token is multiplied by, the output projection counted. */
  multiplied: number;
  ways: TrainingWay[];
  /** Losses alone, of nothing trained. */
  scoringTokensPerSecond?: number;
}

/** A way to train. */
export interface TrainingWay {
  trains: "all weights" | "LoRA";
  rank?: number;
  /** How the weights lie in memory. */
  weights: "float32";
  gradientCheckpointing: boolean;
  /** Bytes, on the cpu engine. */
  memory: TrainingMemory;
  fits: boolean;
  tokensPerSecond?: number;
}

const rowTokens = 1024;
const rank = 16;

/** Operations per token and number that it is multiplied by: one product forward, and each one that the gradient takes. */
const operations = { forward: 2, inputGradient: 2, weightGradient: 2 };

/** Estimates every way to train, for one row of 1,024 tokens, or of the model's context where that is shorter. */
export function trainingHere(config: DecoderConfig, { gigaflops }: Pick<Speed, "gigaflops">): TrainingHere {
  const tokens = Math.min(rowTokens, config.maxPositions);
  const room = memoryOfProcess();
  const multiplied = multipliedNumbers(config);
  const paceOf = (perNumber: number): number | undefined =>
    gigaflops === undefined ? undefined : Number(((gigaflops * 1e9) / (perNumber * multiplied)).toPrecision(3));
  const { forward, inputGradient, weightGradient } = operations;
  const ways = (["all weights", "LoRA"] as const).flatMap((trains) =>
    [false, true].map((gradientCheckpointing): TrainingWay => {
      const adapter = trains === "LoRA" ? { rank } : undefined;
      const memory = estimateTrainingMemory(config, {
        ...{ tokens, responseTokens: tokens, gradientCheckpointing },
        ...optional({ adapter }),
      });
      const perNumber =
        forward + inputGradient + (trains === "LoRA" ? 0 : weightGradient) + (gradientCheckpointing ? forward : 0);
      return {
        ...{ trains, ...optional(adapter ?? {}), weights: "float32", gradientCheckpointing, memory },
        fits: memory.peak <= room,
        ...optional({ tokensPerSecond: paceOf(perNumber) }),
      };
    }),
  );
  return { tokens, memory: room, multiplied, ways, ...optional({ scoringTokensPerSecond: paceOf(forward) }) };
}

function multipliedNumbers(config: DecoderConfig): number {
  const { layout } = familyOf(config);
  const { width, vocabularySize } = config;
  const lookedUp = [layout.embedding, layout.head, layout.positions].map((name) => `${name}.weight`);
  const matrices = [...decoderTensors(config)].filter(([name, { length }]) => length === 2 && !lookedUp.includes(name));
  return matrices.reduce((sum, [, [rows, columns]]) => sum + rows! * columns!, 0) + vocabularySize * width;
}
