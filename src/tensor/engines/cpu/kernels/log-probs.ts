// What is read off a row of logits, and its gradient.
import { isSoftmaxByLibrary, softmaxByLibrary } from "./library";
import { exponentials, maxOf, scale } from "./reduce";
import { exp, exp1, get, loadPart, madd, selectPart, splat, sumLanes } from "./simd";
import { multiply, softCapSlopes } from "./soft-cap";
import { rank } from "./thread";

const TOP: i32 = 20;
const BLOCK: i32 = 1024;

/** Sums over a row of `z = logit - largest`: of e^z, and of z e^z. */
let sumOfWeights: f64 = 0;
let sumOfWeighted: f64 = 0;

/**
 * `logProb[r] = log softmax(logits[r])[targets[r]]`; where the pointers are not 0 also the entropy of that softmax, that of
 * the softmax over the 20 largest logits, for which `top` has room for 20 floats a row, and the sum of the softmax's
 * squares. The logits stay as they are.
 */
export function targetLogProbs(
  logits: usize,
  targets: usize,
  V: i32,
  logProb: usize,
  entropy: usize,
  entropyTop: usize,
  top: usize,
  concentration: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const p = logits + <usize>r * V * 4;
    const largest = maxOf(p, V);
    statistics(p, V, largest);
    const logSum = Math.log(sumOfWeights);
    const target = load<f32>(p + <usize>load<i32>(targets + <usize>r * 4) * 4);
    store<f32>(logProb + <usize>r * 4, <f32>(<f64>(target - largest) - logSum));
    if (entropy) store<f32>(entropy + <usize>r * 4, <f32>(logSum - sumOfWeighted / sumOfWeights));
    if (entropyTop) store<f32>(entropyTop + <usize>r * 4, topEntropy(p, V, top + <usize>r * TOP * 4));
    if (concentration) {
      const squares = sumOfSquares(p, V, largest);
      store<f32>(concentration + <usize>r * 4, <f32>(squares / (sumOfWeights * sumOfWeights)));
    }
  }
}

function statistics(p: usize, n: i32, largest: f32): void {
  const top = splat(largest);
  sumOfWeights = 0;
  sumOfWeighted = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const length = min(BLOCK, n - start);
    const q = p + <usize>start * 4;
    const whole = <usize>(length & ~3) * 4;
    let a = splat(0);
    let b = splat(0);
    for (let j: usize = 0; j < whole; j += 16) {
      const z = f32x4.sub(get(q + j), top);
      const e = exp(z);
      a = f32x4.add(a, e);
      b = madd(e, f32x4.pmax(z, splat(-100)), b);
    }
    const rest = length & 3;
    if (rest) {
      const z = f32x4.sub(loadPart(q + whole, rest), top);
      const e = selectPart(exp(z), splat(0), rest);
      a = f32x4.add(a, e);
      b = madd(e, f32x4.pmax(z, splat(-100)), b);
    }
    sumOfWeights += <f64>sumLanes(a);
    sumOfWeighted += <f64>sumLanes(b);
  }
}

/** Sum over a row of `e^2z`, `z = logit - largest`. */
function sumOfSquares(p: usize, n: i32, largest: f32): f64 {
  const top = splat(largest);
  let sum: f64 = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const length = min(BLOCK, n - start);
    const q = p + <usize>start * 4;
    const whole = <usize>(length & ~3) * 4;
    let a = splat(0);
    for (let j: usize = 0; j < whole; j += 16) {
      const e = exp(f32x4.sub(get(q + j), top));
      a = madd(e, e, a);
    }
    const rest = length & 3;
    if (rest) {
      const e = selectPart(exp(f32x4.sub(loadPart(q + whole, rest), top)), splat(0), rest);
      a = madd(e, e, a);
    }
    sum += <f64>sumLanes(a);
  }
  return sum;
}

/** Entropy of the softmax over the 20 largest logits (all where there are fewer), kept in ascending order in `list`. */
function topEntropy(p: usize, V: i32, list: usize): f32 {
  const kept = min(TOP, V);
  for (let i = 0; i < kept; i++) store<f32>(list + <usize>i * 4, -Infinity);
  let j = 0;
  for (; j + 4 <= V; j += 4) {
    const q = p + <usize>j * 4;
    if (!v128.any_true(f32x4.gt(get(q), v128.load_splat<f32>(list)))) continue;
    for (let x = 0; x < 4; x++) insert(list, kept, load<f32>(q + <usize>x * 4));
  }
  for (; j < V; j++) insert(list, kept, load<f32>(p + <usize>j * 4));
  const largest = load<f32>(list + <usize>(kept - 1) * 4);
  let sum: f64 = 0;
  let weighted: f64 = 0;
  for (let i = 0; i < kept; i++) {
    const z = load<f32>(list + <usize>i * 4) - largest;
    const e = <f64>exp1(z);
    sum += e;
    if (e > 0) weighted += e * <f64>z;
  }
  return <f32>(Math.log(sum) - weighted / sum);
}

function insert(list: usize, kept: i32, value: f32): void {
  if (!(value > load<f32>(list))) return;
  let i = 1;
  for (; i < kept && load<f32>(list + <usize>i * 4) < value; i++) {
    store<f32>(list + <usize>(i - 1) * 4, load<f32>(list + <usize>i * 4));
  }
  store<f32>(list + <usize>(i - 1) * 4, value);
}

/**
 * In place: `logits[r] <- dLogProb[r] * (onehot(targets[r]) - softmax(logits[r]))`; times the slope of the cap where the
 * logits were capped (`cap` is not 0), for which `slopes` has room for `V` floats per thread.
 */
export function logitGradient(
  logits: usize,
  targets: usize,
  dLogProb: usize,
  V: i32,
  cap: f32,
  slopes: usize,
  from: i32,
  to: i32,
): void {
  const own = slopes + <usize>rank * V * 4;
  for (let r = from; r < to; r++) {
    const p = logits + <usize>r * V * 4;
    if (cap > 0) softCapSlopes(p, own, V, cap);
    const d = load<f32>(dLogProb + <usize>r * 4);
    if (isSoftmaxByLibrary(V)) {
      softmaxByLibrary(1, V, p);
      scale(p, V, -d);
    } else {
      const sum = exponentials(p, V, 1, maxOf(p, V));
      scale(p, V, <f32>(-(<f64>d) / sum));
    }
    const at = p + <usize>load<i32>(targets + <usize>r * 4) * 4;
    store<f32>(at, load<f32>(at) + d);
    if (cap > 0) multiply(p, own, V);
  }
}
