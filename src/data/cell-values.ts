import { DamagedFile } from "./damaged.ts";

/** Cells of a type that this library has no use for (dates, binary, ...). */
export const UNREADABLE = Symbol("a type that is not read");

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws DamagedFile for bytes that are not UTF-8 */
export function textCell(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new DamagedFile("a text is not valid UTF-8");
  }
}

/** A 64-bit integer as a number where that is exact, else as it is, so that nobody computes with another one. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
