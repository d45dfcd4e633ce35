import { terminalNumber } from "../../report/format.ts";
import { visibleString } from "../../system/visible-text.ts";
import { engineText, type EngineListing } from "../../tensor/engine.ts";
import { aligned, labelled } from "../layout.ts";
import type { ModelDescription } from "./describe-model.ts";
import type { Speed } from "./speed.ts";
import type { TrainingHere, TrainingWay } from "./training-here.ts";

/** What `doctor --model` found out. */
export interface ModelFindings extends Speed {
  model: ModelDescription;
  training: TrainingHere;
  engines: EngineListing[];
}

/** One screen for people. */
export function modelFindingsText({ model, training, engines, ...speed }: ModelFindings): string {
  const here = labelled([...estimateLines(training, speed), ["engine", engineSentence(speed, engines)]]);
  return [labelled(modelLines(model)), `Training here\n\n${trainingTable(training, model)}`, here].join("\n");
}

function modelLines(model: ModelDescription): [string, string][] {
  const { path, family, models, trainedWithout, parameters, tiedOutput, vocabularySize, weights, tokenizer } = model;
  const { layers, width, feedForwardWidth, heads, keyValueHeads, headSize } = model;
  const pairs = keyValueHeads === heads ? "" : `, ${count(keyValueHeads, "head")} of keys and values`;
  const output = tiedOutput ? "the output projection is the embedding" : "an output projection of its own";
  const formats = weights.formats.map(({ format, tensors }) => `${format} (${count(tensors, "tensor")})`).join(", ");
  const ends = tokenizer.endOfTurn.map(({ id, token }) => `${visibleString(token)} (${id})`).join(", ");
  const template = tokenizer.chatTemplate ? "a chat template" : "no chat template";
  return [
    ["model", visibleString(path)],
    ["family", `${family}: ${models}, and others of that shape`],
    ["size", `${terminalNumber(parameters)} parameters; ${count(layers, "layer")} of width ${terminalNumber(width)}`],
    ["", `${count(heads, "head")} of ${headSize}${pairs}; a feed-forward width of ${terminalNumber(feedForwardWidth)}`],
    ["context", [`${terminalNumber(model.context)} tokens`, ...positionLines(model)].join("; ")],
    ["vocabulary", `${terminalNumber(vocabularySize)} tokens; ${output}`],
    ["weights", `${sizeText(weights.bytes)} as ${weights.files}: ${formats}`],
    ["tokenizer", `${tokenizer.kind} of ${terminalNumber(tokenizer.tokens)} tokens, ${template}`],
    ["ends a turn", ends === "" ? "no token is known to: answers go on to their limit" : ends],
    ["left out", trainedWithout === undefined ? "nothing" : `a training here leaves out ${trainedWithout}`],
  ];
}

function positionLines({ layers, rotation, window, unrotatedLayers }: ModelDescription): string[] {
  const base = (value: number): string => `base ${terminalNumber(value)}`;
  const lines = [rotation === undefined ? "learned positions" : `rotation with ${base(rotation.base)}`];
  if (rotation?.rotatedShare !== undefined) lines.push(`of the first ${rotation.rotatedShare} of each head`);
  if (rotation?.scaling !== undefined) {
    const { scaling, factor, originalContext } = rotation;
    const from = originalContext === undefined ? "" : ` from ${terminalNumber(originalContext)} tokens`;
    lines.push(`stretched by ${scaling}${factor === undefined ? "" : ` x ${factor}`}${from}`);
  }
  if (unrotatedLayers !== undefined) lines.push(`${unrotatedLayers} of ${layers} layers rotate nothing`);
  if (window !== undefined) {
    const own = window.rotation === undefined ? "" : `, rotated with ${base(window.rotation.base)}`;
    lines.push(`a window of ${terminalNumber(window.tokens)} tokens in ${window.layers} of ${layers} layers${own}`);
  }
  return lines;
}

/** A row for each kind of training, without and with activations computed twice side by side. */
function trainingTable({ ways, scoringTokensPerSecond }: TrainingHere, { weights }: ModelDescription): string {
  const head = ["", "memory", "", "tokens/s", "checkpointing", "", "tokens/s"];
  const text = (way: TrainingWay): string => wayText(way, weights.formats[0]!.format);
  const plain = ways.filter(({ gradientCheckpointing }) => !gradientCheckpointing);
  const rows = plain.map((way) => {
    const twice = ways.find((other) => other.gradientCheckpointing && text(other) === text(way))!;
    return [text(way), ...cells(way), ...cells(twice)];
  });
  const scoring = ["losses alone", "", "", pace(scoringTokensPerSecond), "", "", ""];
  const right = new Set([1, 3, 4, 6]);
  return `${aligned([head, ...rows, scoring], right)}`;
}

function wayText({ trains, rank, weights }: TrainingWay, format: string): string {
  if (trains === "all weights") return `all weights, ${weights}`;
  return `LoRA ${rank} over ${weights === "as-stored" ? `these files (${format})` : weights}`;
}

function cells({ memory, fits, tokensPerSecond }: TrainingWay): string[] {
  return [sizeText(memory.peak), fits ? "fits" : "too much", pace(tokensPerSecond)];
}

function estimateLines({ tokens, memory, multiplied }: TrainingHere, { gigaflops }: Speed): [string, string][] {
  const rate = gigaflops === undefined ? "unknown, as no engine runs" : `${terminalNumber(gigaflops, 3)} GFLOP/s here`;
  return [
    [
      "estimated",
      `for a row of ${terminalNumber(tokens)} tokens that all train; checkpointing: training.gradientCheckpointing`,
    ],
    [
      "weights",
      "under LoRA they stay in their files, or are float32 (adapter.trunk); tokensift export writes bf16, q8_0, q4_0",
    ],
    ["memory", `of the cpu engine, the program and pages of files counted; this process can have ${sizeText(memory)}`],
    [
      "tokens/s",
      `from above, by products of matrices alone: ${rate}, 6 (all weights), 4 (LoRA) or 2 (losses) operations for each of ` +
        `${terminalNumber(multiplied)} numbers and token, 2 more with checkpointing`,
    ],
  ];
}

/** The engine that a run takes here, and why. */
function engineSentence({ engine }: Speed, engines: readonly EngineListing[]): string {
  if ("error" in engine) return engine.error;
  const { name, gpu } = engine;
  if (gpu) return `${engineText(engine)}: the first with a GPU`;
  const others = engines.filter((other) => other.name !== name);
  const why = others.map(
    (other) => `${other.name} ${other.available ? "has no GPU" : `does not run (${other.reason})`}`,
  );
  return `${engineText(engine)}; ${why.join(", ")}`;
}

function count(number: number, noun: string): string {
  return `${terminalNumber(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function pace(tokensPerSecond: number | undefined): string {
  return terminalNumber(tokensPerSecond === undefined ? undefined : Number(tokensPerSecond.toPrecision(2)), 2);
}

function sizeText(bytes: number): string {
  const [unit, name] = (
    [
      [1e9, "GB"],
      [1e6, "MB"],
    ] as const
  ).find(([unit]) => bytes >= unit) ?? [1e3, "kB"];
  return `${terminalNumber(bytes / unit, 3)} ${name}`;
}
