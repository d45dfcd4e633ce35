import { withHostArrays, type ShaderKernel } from "./kernel.ts";
import { runByElements, runByRows } from "./program.ts";

/**
 * WGSL of the softmax's parts over the entries `start .. end - 1`, each being `entry` at `i`: their `largest`, and the
 * `total` of `exp(entry - largest)`.
 */
const partsOfSoftmax = (entry: string): string => `
  var own = -3.4e38;
  for (var i = start + lane; i < end; i += LANES) { own = max(own, ${entry}); }
  let largest = largestOfLanes(own);
  var sum = 0.0;
  for (var i = start + lane; i < end; i += LANES) { sum += exp(${entry} - largest); }
  let total = sumOfLanes(sum);`;

export const causalSoftmax: ShaderKernel<"TokensiftCausalSoftmax"> = ({ scores }, { scale, window }, backend) => {
  const [batch, width] = scores.shape;
  const weights = runByRows(backend, {
    name: "causal softmax",
    inputs: { scores },
    floats: { scale },
    integers: { width, window },
    shape: scores.shape,
    rows: batch * width,
    body: `
      let first = row * uniforms.width;
      let end = first + row % uniforms.width + 1;
      let start = max(first, end - uniforms.window);
      ${partsOfSoftmax("uniforms.scale * scores[i]")}
      for (var i = first + lane; i < first + uniforms.width; i += LANES) {
        let weight = exp(min(uniforms.scale * scores[i] - largest, 0.0)) / total;
        result[i] = select(0.0, weight, i >= start && i < end);
      }`,
  });
  return [weights];
};

export const causalSoftmaxGradient: ShaderKernel<"TokensiftCausalSoftmaxGrad"> = (
  { weights, dWeights, delta },
  { scale },
  backend,
) => {
  const dScores = runByElements(backend, {
    name: "causal softmax gradient",
    inputs: { weights, dWeights, delta },
    perRow: ["delta"],
    floats: { scale },
    shape: weights.shape,
    value: "uniforms.scale * weights[index] * (dWeights[index] - delta[row])",
  });
  return [dScores];
};

export const logProbs: ShaderKernel<"TokensiftLogitLogProbs"> = ({ logits }, { targets }, backend) => {
  const [rows, width] = logits.shape;
  return withHostArrays(backend, [targets], (target) => [
    runByRows(backend, {
      name: "log-probabilities",
      inputs: { logits, label: target! },
      integers: { width },
      shape: [rows],
      rows,
      body: `
        let start = row * uniforms.width;
        let end = start + uniforms.width;
        ${partsOfSoftmax("logits[i]")}
        if (lane == 0) { result[row] = logits[start + label[row]] - largest - log(total); }`,
    }),
  ]);
};

export const logProbsGradient: ShaderKernel<"TokensiftLogitLogProbsGrad"> = (
  { logits },
  { targets, dLogProb },
  backend,
) => {
  const [rows, width] = logits.shape;
  return withHostArrays(backend, [targets, dLogProb], (target, scale) => [
    runByRows(backend, {
      name: "log-probabilities gradient",
      inputs: { logits, label: target!, scale: scale! },
      integers: { width },
      shape: logits.shape,
      rows,
      body: `
        let start = row * uniforms.width;
        let end = start + uniforms.width;
        ${partsOfSoftmax("logits[i]")}
        for (var i = start + lane; i < end; i += LANES) {
          let hot = select(0.0, 1.0, i == start + label[row]);
          result[i] = scale[row] * (hot - exp(logits[i] - largest) / total);
        }`,
    }),
  ]);
};
