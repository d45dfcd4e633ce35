/** Beyond so many degrees of freedom the distribution is the normal one, as far as p values are read. */
const most = 2000;
/** Of Simpson's rule. */
const intervals = 1000;

/**
 * Two-sided p of Student's t: the probability of a value as far from 0 as `t`, for any degrees of freedom from 1. With
 * `t = sqrt(freedom) tan(angle)` the density is a power of a cosine, which is integrated over the angle.
 */
export function studentTail(t: number, freedom: number): number {
  const power = Math.min(freedom, most) - 1;
  const from = Math.atan(Math.abs(t) / Math.sqrt(power + 1));
  return Math.min(1, cosines(power, from) / cosines(power, 0));
}

/** The integral of `cos(angle)^power` from an angle to a right one, by Simpson's rule. */
function cosines(power: number, from: number): number {
  const step = (Math.PI / 2 - from) / intervals;
  let sum = 0;
  for (let i = 0; i <= intervals; i++) {
    const weight = i === 0 || i === intervals ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.max(0, Math.cos(from + i * step)) ** power;
  }
  return (sum * step) / 3;
}
