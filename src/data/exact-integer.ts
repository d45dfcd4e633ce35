/** A 64-bit integer as a number where that is exact, else as it is, so that nobody computes with another one. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
