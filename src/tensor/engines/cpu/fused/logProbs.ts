import type { CpuBackend } from "../backend.ts";
import { zeros } from "../fast/kernel.ts";
import type { Machine } from "../machine.ts";
import { multiply } from "../product.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

/** Logits held at a time: 32 MiB. */
const LOGITS_LIMIT = 2 ** 23;
/** Floats the kernel needs a row to keep the 20 largest logits. */
const TOP = 20;

/** Calls `body` for every few rows, with room for their logits. */
function forChunks(
  { machine }: CpuBackend,
  rows: number,
  vocabulary: number,
  body: (from: number, count: number, logits: number) => void,
): void {
  const size = Math.min(rows, Math.max(1, Math.floor(LOGITS_LIMIT / vocabulary)));
  if (rows === 0) return;
  machine.withScratch(size * vocabulary * 4, (logits) => {
    for (let from = 0; from < rows; from += size) body(from, Math.min(size, rows - from), logits);
  });
}

function logitsOf(machine: Machine, M: number, N: number, K: number, hidden: number, table: number, c: number): void {
  multiply(machine, { transA: false, transB: true, M, N, K, a: hidden, b: table, c });
}

export const targetLogProbs: FusedKernel<"TokensiftTargetLogProbs"> = (inputs, attrs, backend) => {
  const { hidden, outputEmbedding } = inputs;
  const [rows, width] = hidden.shape;
  const vocabulary = outputEmbedding.shape[0];
  const { machine } = backend;
  const logProb = backend.empty([rows]);
  const entropy = attrs.entropy ? backend.empty([rows]) : undefined;
  const entropyTop = attrs.entropyTop20 ? backend.empty([rows]) : undefined;
  const [h, table] = [backend.offsetOf(hidden), backend.offsetOf(outputEmbedding)];
  withHostArrays(backend, [attrs.targets], (targets) => {
    machine.withScratch(rows * TOP * 4, (top) => {
      forChunks(backend, rows, vocabulary, (from, count, logits) => {
        const at = (tensor: { offset: number } | undefined): number =>
          tensor === undefined ? 0 : tensor.offset + from * 4;
        logitsOf(machine, count, vocabulary, width, h + from * width * 4, table, logits);
        const places = [targets + from * 4, vocabulary, at(logProb), at(entropy), at(entropyTop), top];
        machine.run("targetLogProbs", count, 4 * vocabulary, logits, ...places);
      });
    });
  });
  return [logProb, entropy, entropyTop].filter((tensor) => tensor !== undefined);
};

export const targetLogProbsGradient: FusedKernel<"TokensiftTargetLogProbsGrad"> = (inputs, attrs, backend) => {
  const { hidden, outputEmbedding } = inputs;
  const { targets, dLogProb, needEmbedding } = attrs;
  const width = hidden.shape[1];
  const vocabulary = outputEmbedding.shape[0];
  const { machine } = backend;
  const live = Int32Array.from(targets.keys()).filter((row) => dLogProb[row] !== 0);
  const dHidden = zeros(backend, hidden.shape);
  const dEmbedding = !needEmbedding
    ? undefined
    : live.length === 0
      ? zeros(backend, outputEmbedding.shape)
      : backend.empty(outputEmbedding.shape);
  const [h, table] = [backend.offsetOf(hidden), backend.offsetOf(outputEmbedding)];
  const ownTargets = live.map((row) => targets[row]!);
  const ownGradient = Float32Array.from(live, (row) => dLogProb[row]!);
  const bytes = live.length * width * 4;

  withHostArrays(backend, [live, ownTargets, ownGradient], (rowsAt, targetsAt, gradientAt) => {
    machine.withScratch(2 * bytes, (rows) => {
      const dRows = rows + bytes;
      machine.run("gatherRows", live.length, 2 * width, h, rowsAt, rows, width);
      forChunks(backend, live.length, vocabulary, (from, count, logits) => {
        const skip = from * width * 4;
        logitsOf(machine, count, vocabulary, width, rows + skip, table, logits);
        machine.run(
          "logitGradient",
          count,
          6 * vocabulary,
          logits,
          targetsAt + from * 4,
          gradientAt + from * 4,
          vocabulary,
        );
        const dHiddenForm = { transA: false, transB: false, M: count, N: width, K: vocabulary };
        multiply(machine, { ...dHiddenForm, a: logits, b: table, c: dRows + skip });
        if (dEmbedding === undefined) return;
        const dTableForm = { transA: true, transB: false, M: vocabulary, N: width, K: count, accumulate: from > 0 };
        multiply(machine, { ...dTableForm, a: logits, b: rows + skip, c: dEmbedding.offset });
      });
      machine.run("scatterRows", live.length, 2 * width, dRows, rowsAt, dHidden.offset, width);
    });
  });
  return dEmbedding === undefined ? [dHidden] : [dHidden, dEmbedding];
};
