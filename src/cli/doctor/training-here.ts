import type { DecoderConfig } from "../../model/config.ts";
import { decoderTensors, familyOf } from "../../model/families/index.ts";
import { estimateTrainingMemory, type TrainingMemory } from "../../model/memory.ts";
import { memoryOfProcess } from "../../system/process-memory.ts";
import { optional } from "../../system/optional.ts";
import type { Described } from "./describe-model.ts";
import type { Speed } from "./speed.ts";
import { trunksOf, type TrunkForm } from "./trunks.ts";

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
  /** How the weights are held, those under an adapter perhaps in their files. */
  weights: TrunkForm;
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
export function trainingHere(described: Described, { gigaflops }: Pick<Speed, "gigaflops">): TrainingHere {
  const { config } = described;
  const tokens = Math.min(rowTokens, config.maxPositions);
  const room = memoryOfProcess();
  const multiplied = multipliedNumbers(config);
  const paceOf = (perNumber: number): number | undefined =>
    gigaflops === undefined ? undefined : Number(((gigaflops * 1e9) / (perNumber * multiplied)).toPrecision(3));
  const wayOf = (kind: Pick<TrainingWay, "trains" | "weights">, stored: ReadonlyMap<string, number>) =>
    [false, true].map((gradientCheckpointing): TrainingWay => {
      const adapter = kind.trains === "LoRA" ? { rank } : undefined;
      const row = { tokens, responseTokens: tokens, gradientCheckpointing };
      const memory = estimateTrainingMemory(config, { ...row, ...optional({ adapter }), stored });
      const tokensPerSecond = paceOf(operationsOf(kind.trains, gradientCheckpointing));
      const fits = memory.peak <= room;
      return { ...kind, ...adapter, gradientCheckpointing, memory, fits, ...optional({ tokensPerSecond }) };
    });
  const ways = [
    ...wayOf({ trains: "all weights", weights: "float32" }, new Map()),
    ...trunksOf(described).flatMap(({ form, stored }) => wayOf({ trains: "LoRA", weights: form }, stored)),
  ];
  const scoring = paceOf(operations.forward);
  return { tokens, memory: room, multiplied, ways, ...optional({ scoringTokensPerSecond: scoring }) };
}

function operationsOf(trains: TrainingWay["trains"], gradientCheckpointing: boolean): number {
  const { forward, inputGradient, weightGradient } = operations;
  const gradients = inputGradient + (trains === "LoRA" ? 0 : weightGradient);
  return forward + gradients + (gradientCheckpointing ? forward : 0);
}

function multipliedNumbers(config: DecoderConfig): number {
  const { layout } = familyOf(config);
  const { width, vocabularySize } = config;
  const lookedUp = [layout.embedding, layout.head, layout.positions].map((name) => `${name}.weight`);
  const matrices = [...decoderTensors(config)].filter(([name, { length }]) => length === 2 && !lookedUp.includes(name));
  return matrices.reduce((sum, [, [rows, columns]]) => sum + rows! * columns!, 0) + vocabularySize * width;
}
