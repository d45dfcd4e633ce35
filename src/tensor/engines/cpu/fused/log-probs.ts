import type * as tf from "@tensorflow/tfjs-core";
import type { StoredWeight } from "../../../stored-weight.ts";
import type { CpuBackend } from "../backend.ts";
import { linesOf, zeros } from "../fast/kernel.ts";
import type { Machine } from "../machine.ts";
import { multiply } from "../product.ts";
import { multiplyBackByStored, multiplyByStored } from "../stored.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

/** Logits held at a time: 32 MiB. */
const LOGITS_LIMIT = 2 ** 23;
/** Logits kept for the gradient: 64 MiB. */
const KEPT_LIMIT = 2 ** 24;
/** Floats the kernel needs a row to keep the 20 largest logits. */
const TOP = 20;

/** How many rows' logits are held at a time. */
function rowsAtOnce(rows: number, vocabulary: number, limit: number): number {
  return Math.min(rows, Math.max(1, Math.floor(limit / vocabulary)));
}

/** An output embedding: where its tensor lies, or the matrix in its file. */
type Table = number | StoredWeight;

function tableOf(backend: CpuBackend, tensor: tf.Tensor2D | undefined, stored: StoredWeight | undefined): Table {
  return stored ?? backend.placeOf(tensor!);
}

/** Logits `[M, N]` at `c`, capped where `softCap` is given. */
function logitsOf(
  machine: Machine,
  [M, N, K]: readonly [rows: number, vocabulary: number, width: number],
  [a, b, c]: readonly [hidden: number, table: Table, logits: number],
  softCap: number | undefined,
): void {
  if (typeof b === "number") multiply(machine, { transA: false, transB: true, M, N, K, a, b, c });
  else multiplyByStored(machine, { x: a, M }, [{ weight: b, c }]);
  if (softCap !== undefined) machine.run("softCap", linesOf(M * N), 160, c, c, softCap);
}

/** From a gradient on logits `[M, K]` to one on hidden states `[M, N]`. */
function toHidden(machine: Machine, M: number, N: number, K: number, logits: number, table: Table, c: number): void {
  if (typeof table === "number") multiply(machine, { transA: false, transB: false, M, N, K, a: logits, b: table, c });
  else multiplyBackByStored(machine, { dx: c, M }, [{ weight: table, dy: logits }]);
}

export const targetLogProbs: FusedKernel<"TokensiftTargetLogProbs"> = (inputs, attrs, backend) => {
  const { hidden, outputEmbedding } = inputs;
  const [rows, width] = hidden.shape;
  const vocabulary = (attrs.stored ?? outputEmbedding!).shape[0];
  const { machine } = backend;
  const logProb = backend.empty([rows]);
  const entropy = attrs.entropy ? backend.empty([rows]) : undefined;
  const entropyTop = attrs.entropyTop20 ? backend.empty([rows]) : undefined;
  const concentration = attrs.concentration ? backend.empty([rows]) : undefined;
  const [h, table] = [backend.placeOf(hidden), tableOf(backend, outputEmbedding, attrs.stored)];
  const kept = attrs.keepLogits ? backend.empty([rowsAtOnce(rows, vocabulary, KEPT_LIMIT), vocabulary]) : undefined;
  const keptRows = kept?.shape[0] ?? 0;
  withHostArrays(backend, [attrs.targets], (targets) => {
    machine.withScratch(rows * TOP * 4, (top) => {
      const read = (from: number, count: number, logits: number): void => {
        const at = (tensor: { place: number } | undefined): number =>
          tensor === undefined ? 0 : tensor.place + from * 4;
        const operands = [h + from * width * 4, table, logits] as const;
        logitsOf(machine, [count, vocabulary, width], operands, attrs.softCap);
        const facts = [at(logProb), at(entropy), at(entropyTop), top, at(concentration)];
        machine.run("targetLogProbs", count, 4 * vocabulary, logits, targets + from * 4, vocabulary, ...facts);
      };
      if (kept !== undefined) read(0, keptRows, kept.place);
      if (keptRows === rows) return;
      const size = rowsAtOnce(rows - keptRows, vocabulary, LOGITS_LIMIT);
      machine.withScratch(size * vocabulary * 4, (logits) => {
        for (let from = keptRows; from < rows; from += size) read(from, Math.min(size, rows - from), logits);
      });
    });
  });
  return [logProb, entropy, entropyTop, concentration, kept].filter((tensor) => tensor !== undefined);
};

export const targetLogProbsGradient: FusedKernel<"TokensiftTargetLogProbsGrad"> = (inputs, attrs, backend) => {
  const { hidden, outputEmbedding, logits: kept } = inputs;
  const { targets, dLogProb, needEmbedding, softCap } = attrs;
  const width = hidden.shape[1];
  const tableShape = (attrs.stored ?? outputEmbedding!).shape;
  const vocabulary = tableShape[0];
  const { machine } = backend;
  const live = Int32Array.from(targets.keys()).filter((row) => dLogProb[row] !== 0);
  const dHidden = zeros(backend, hidden.shape);
  const [h, table] = [backend.placeOf(hidden), tableOf(backend, outputEmbedding, attrs.stored)];
  const dEmbedding = !needEmbedding
    ? undefined
    : live.length === 0
      ? zeros(backend, tableShape)
      : backend.empty(tableShape, "float32", backend.placeOf(outputEmbedding!));
  const ownTargets = live.map((row) => targets[row]!);
  const ownGradient = Float32Array.from(live, (row) => dLogProb[row]!);
  const bytes = live.length * width * 4;
  const keptRows = kept?.shape[0] ?? 0;
  const keptLive = live.filter((row) => row < keptRows).length;
  const usedInPlace = keptLive === keptRows ? keptLive : 0;

  withHostArrays(backend, [live, ownTargets, ownGradient], (rowsAt, targetsAt, gradientAt) => {
    machine.withScratch(2 * bytes, (rows) => {
      const dRows = rows + bytes;
      machine.run("gatherRows", live.length, 2 * width, h, rowsAt, rows, width);
      /** Goes back from the logits of some live rows, which are overwritten. */
      const back = (from: number, count: number, logits: number): void => {
        const skip = from * width * 4;
        const places = [targetsAt + from * 4, gradientAt + from * 4, vocabulary];
        const gradient = (slopes: number): void =>
          machine.run("logitGradient", count, 6 * vocabulary, logits, ...places, softCap ?? 0, slopes);
        if (softCap === undefined) gradient(0);
        else machine.withScratch(machine.threads * vocabulary * 4, gradient);
        toHidden(machine, count, width, vocabulary, logits, table, dRows + skip);
        if (dEmbedding === undefined) return;
        const dTableForm = { transA: true, transB: false, M: vocabulary, N: width, K: count, accumulate: from > 0 };
        multiply(machine, { ...dTableForm, a: logits, b: rows + skip, c: dEmbedding.place });
      };
      if (usedInPlace > 0) back(0, usedInPlace, backend.placeOf(kept!));
      const size = rowsAtOnce(Math.max(1, live.length - usedInPlace), vocabulary, LOGITS_LIMIT);
      machine.withScratch(size * vocabulary * 4, (logits) => {
        for (let from = usedInPlace, count = 0; from < live.length; from += count) {
          const isKept = from < keptLive;
          count = Math.min(size, (isKept ? keptLive : live.length) - from);
          const own = rowsAt + from * 4;
          if (isKept) machine.run("gatherRows", count, 2 * vocabulary, backend.placeOf(kept!), own, logits, vocabulary);
          else logitsOf(machine, [count, vocabulary, width], [rows + from * width * 4, table, logits], softCap);
          back(from, count, logits);
        }
      });
      machine.run("scatterRows", live.length, 2 * width, dRows, rowsAt, dHidden.place, width);
    });
  });
  return dEmbedding === undefined ? [dHidden] : [dHidden, dEmbedding];
};
