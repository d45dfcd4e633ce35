import type { Arena } from "./arena.ts";
import { memoryOf } from "./arena.ts";

/** A matrix or the like that a computation reads, writes (and perhaps reads), or has as scratch space. */
export interface Operand {
  use: "read" | "written" | "scratch";
  place: number;
  bytes: number;
}

/** A computation with all its operands in one memory; `placeOf` says where each lies now. */
export interface Settled<T> {
  item: T;
  placeOf(place: number): number;
}

/**
 * Runs computations whose operands lie in any memories. Each takes place in the memory that holds most bytes of its
 * operands; what lies elsewhere is copied beside them before and, where it is written, back behind. None of them reads
 * or writes what another writes.
 * @param run called with computations that have their operands in one memory, perhaps several times for each
 * @throws UserError where no memory has room for the copies
 */
export function runBeside<T extends { operands: readonly Operand[] }>(
  arena: Arena,
  items: readonly T[],
  run: (memory: number, here: Settled<T>[]) => void,
): void {
  const copies: Copy[] = [];
  const groups = new Map<number, Settled<T>[]>();
  const transfer = (from: number, to: number, bytes: number): void =>
    arena.uint8(to, bytes).set(arena.uint8(from, bytes));
  const finish = (): void => {
    for (const { operand, copy } of copies) if (operand.use !== "scratch") transfer(operand.place, copy, operand.bytes);
    for (const [home, here] of groups) run(home, here);
    for (const { operand, copy } of copies) if (operand.use === "written") transfer(copy, operand.place, operand.bytes);
    for (const { copy } of copies.splice(0)) arena.free(copy);
    groups.clear();
  };
  try {
    for (const item of items) {
      const { home, places } = settle(arena, item.operands, copies);
      const here = groups.get(home) ?? [];
      groups.set(home, here);
      here.push({ item, placeOf: (place) => places.get(place) ?? place });
      if (copies.reduce((sum, { operand }) => sum + operand.bytes, 0) > arena.reserveBytes / 4) finish();
    }
    finish();
  } finally {
    for (const { copy } of copies) arena.free(copy);
  }
}

interface Copy {
  operand: Operand;
  copy: number;
}

/** Chooses a memory and makes room in it for the operands that lie elsewhere, which is added to `copies`. */
function settle(
  arena: Arena,
  operands: readonly Operand[],
  copies: Copy[],
): { home: number; places: Map<number, number> } {
  const held = new Map<number, number>();
  for (const { place, use, bytes } of operands)
    held.set(memoryOf(place), (held.get(memoryOf(place)) ?? 0) + (use === "scratch" ? 0 : bytes));
  const homes = [...held.keys()].sort((one, other) => held.get(other)! - held.get(one)!);
  for (const home of homes) {
    const places = new Map<number, number>();
    const before = copies.length;
    const hasRoom = operands.every((operand) => {
      if (memoryOf(operand.place) === home) return true;
      const copy = arena.allocateIn(home, operand.bytes);
      if (copy === undefined) return false;
      copies.push({ operand, copy });
      places.set(operand.place, copy);
      return true;
    });
    if (hasRoom) return { home, places };
    for (const { copy } of copies.splice(before)) arena.free(copy);
  }
  return arena.refuse(operands.reduce((sum, { bytes }) => sum + bytes, 0));
}
