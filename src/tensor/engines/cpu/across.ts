import type { Arena } from "./arena.ts";
import { memoryOf, offsetOf } from "./arena.ts";
import type { Operand } from "./beside.ts";
import { runBeside } from "./beside.ts";
import { signatures } from "./signatures.ts";

/** Calls a kernel in one memory with values whose places have become byte offsets in it. */
export type RunHere = (memory: number, values: number[], units: number) => void;

/** Lines of a piece where a kernel goes by lines: 256 KiB of each operand, which stay in the cache. */
const LINES = 2 ** 12;
const LINE = 64;

const uses = { r: "read", w: "written", s: "scratch" } as const;

/**
 * Runs a kernel over `0 .. units` whose operands lie in any memories: in that which holds most of them, beside copies of
 * the others, and piece by piece where it goes by lines.
 */
export function runAcross(arena: Arena, name: string, values: readonly number[], units: number, run: RunHere): void {
  const { values: letters, byLine = false } = signatures[name]!;
  const isPlace = (value: number, i: number): boolean => letters[i] !== "." && value !== 0;
  const memory = memoryOf(values.find(isPlace)!);
  if (values.every((value, i) => !isPlace(value, i) || memoryOf(value) === memory)) {
    const local = values.map((value, i) => (isPlace(value, i) ? offsetOf(value) : value));
    return run(memory, local, units);
  }
  const step = byLine ? LINES : units;
  for (let from = 0; from < units; from += step) {
    const count = Math.min(step, units - from);
    const moved = values.map((value, i) => (byLine && isPlace(value, i) ? value + from * LINE : value));
    const operands = new Map<number, Operand>();
    moved.forEach((place, i) => {
      if (!isPlace(place, i)) return;
      const use = operands.get(place)?.use === "written" ? "written" : uses[letters[i] as keyof typeof uses];
      operands.set(place, { use, place, bytes: byLine ? count * LINE : arena.bytesFrom(place) });
    });
    runBeside(arena, [{ operands: [...operands.values()] }], (home, [settled]) => {
      const local = moved.map((value, i) => (isPlace(value, i) ? offsetOf(settled!.placeOf(value)) : value));
      run(home, local, count);
    });
  }
}
