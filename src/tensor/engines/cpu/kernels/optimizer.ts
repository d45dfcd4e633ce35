// AdamW.
import { get, put, splat } from "./simd";

/**
 * One step in place, lines of 16 floats: `g = gradient * gradientScale`, `m = beta1 m + (1 - beta1) g`,
 * `v = beta2 v + (1 - beta2) g^2`, `p = keep p - rate m / (sqrt(v) / spread + epsilon)`, where `keep` is
 * 1 - lr * decay, `rate` lr / (1 - beta1^step) and `spread` sqrt(1 - beta2^step).
 */
export function adamw(
  p: usize,
  gradient: usize,
  m: usize,
  v: usize,
  gradientScale: f32,
  beta1: f32,
  fresh1: f32,
  beta2: f32,
  fresh2: f32,
  rate: f32,
  spread: f32,
  epsilon: f32,
  keep: f32,
  from: i32,
  to: i32,
): void {
  const scale = splat(gradientScale);
  const inverse = splat(1 / spread);
  for (let i = <usize>from * 64; i < <usize>to * 64; i += 16) {
    const g = f32x4.mul(get(gradient + i), scale);
    const first = f32x4.add(f32x4.mul(get(m + i), splat(beta1)), f32x4.mul(g, splat(fresh1)));
    const second = f32x4.add(f32x4.mul(get(v + i), splat(beta2)), f32x4.mul(f32x4.mul(g, g), splat(fresh2)));
    put(m + i, first);
    put(v + i, second);
    const step = f32x4.div(first, f32x4.add(f32x4.mul(f32x4.sqrt(second), inverse), splat(epsilon)));
    put(p + i, f32x4.sub(f32x4.mul(get(p + i), splat(keep)), f32x4.mul(step, splat(rate))));
  }
}
