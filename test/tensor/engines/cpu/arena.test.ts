import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createArena, memoryOf, offsetOf } from "../../../../src/tensor/engines/cpu/arena.ts";
import { FIRST_OFFSET } from "../../../../src/tensor/engines/cpu/memory.ts";
import { userError } from "../../../user-error.ts";

describe("arena", () => {
  test("aligns blocks to 64 bytes and never hands out the kernels' own range", () => {
    const arena = createArena();
    for (const bytes of [0, 1, 63, 64, 65, 1000, 5_000_000]) {
      const offset = arena.allocate(bytes);
      expect(offset % 64).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(FIRST_OFFSET);
    }
  });

  test("counts what is in use, the peak and the capacity", () => {
    const arena = createArena();
    // 100 bytes take two lines of 64, 1 byte takes one.
    const first = arena.allocate(100);
    const second = arena.allocate(1);
    expect(arena.statistics()).toMatchObject({ bytesInUse: 192, peakBytes: 192 });
    arena.free(first);
    arena.free(second);
    expect(arena.statistics()).toMatchObject({ bytesInUse: 0, peakBytes: 192 });
  });

  test("views made before the memory grew still show the same bytes afterwards", () => {
    const arena = createArena();
    const offset = arena.allocate(16);
    const before = arena.float32(offset, 4);
    const size = arena.statistics().capacityBytes;
    arena.allocate(8 * 2 ** 20);
    expect(arena.statistics().capacityBytes).toBeGreaterThan(size);
    arena.float32(offset, 4)[2] = 7;
    expect(before[2]).toBe(7);
  });

  test("live blocks never overlap and everything freed becomes one block again", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.nat(7)), { maxLength: 60 }), (steps) => {
        const arena = createArena({ bytes: 64 * 2 ** 20 });
        const live: { offset: number; bytes: number }[] = [];
        for (const [bytes, choice] of steps) {
          if (choice < 3 && live.length > 0) arena.free(live.splice(choice % live.length, 1)[0]!.offset);
          else live.push({ offset: arena.allocate(bytes), bytes });
          const sorted = [...live].sort((a, b) => a.offset - b.offset);
          for (let i = 1; i < sorted.length; i++)
            expect(sorted[i]!.offset).toBeGreaterThanOrEqual(sorted[i - 1]!.offset + sorted[i - 1]!.bytes);
        }
        for (const { offset } of live) arena.free(offset);
        expect(arena.statistics().bytesInUse).toBe(0);
        const { capacityBytes } = arena.statistics();
        arena.allocate(Math.floor((capacityBytes - FIRST_OFFSET) * 0.85));
        expect(arena.statistics().capacityBytes).toBe(capacityBytes);
      }),
      { numRuns: 40 },
    );
  });

  test("sizes that change from step to step do not make the memory grow", () => {
    const arena = createArena();
    let capacity = 0;
    for (let step = 0; step < 1000; step++) {
      const rows = 100 + ((step * 37) % 150);
      const blocks = [1, 3, 2, 8].map((width) => arena.allocate(rows * width * 64));
      for (const block of blocks) arena.free(block);
      if (step === 150) capacity = arena.statistics().capacityBytes;
    }
    expect(arena.statistics()).toMatchObject({ bytesInUse: 0, capacityBytes: capacity });
  });

  test("says plainly when it is full, and goes on working", () => {
    const arena = createArena({ bytes: 4 * 2 ** 20, memoryBytes: 4 * 2 ** 20 });
    arena.allocate(2 ** 20);
    expect(() => arena.allocate(3.5 * 2 ** 20)).toThrow(
      userError("engine-memory-full", /\b1 MiB of 4 MiB .*\b4 MiB more/),
    );
    expect(() => arena.allocate(5 * 2 ** 20)).toThrow(
      userError("engine-memory-full", /one tensor .*\b4 MiB, .*\b5 MiB/),
    );
    expect(arena.allocate(2 ** 20)).toBeGreaterThanOrEqual(FIRST_OFFSET);
  });

  test("refuses to free a block twice", () => {
    const arena = createArena();
    const offset = arena.allocate(10);
    arena.free(offset);
    expect(() => arena.free(offset)).toThrow(/No block/);
  });
});

describe("arena of several memories", () => {
  const MiB = 2 ** 20;
  const arenaOf = (memories: number) => createArena({ bytes: memories * 8 * MiB, memoryBytes: 8 * MiB });

  test("opens the next memory when those before it have no room, and takes room that came free in any", () => {
    const arena = arenaOf(3);
    const places = Array.from({ length: 3 }, () => arena.allocate(5 * MiB));
    expect(places.map(memoryOf)).toEqual([0, 1, 2]);
    expect(places.map(offsetOf)).toEqual([FIRST_OFFSET, FIRST_OFFSET, FIRST_OFFSET]);
    arena.float32(places[1]!, 4).set([1, 2, 3, 4]);
    expect([...arena.float32(places[1]! + 8, 2)]).toEqual([3, 4]);
    expect(arena.float32(places[2]!, 1)[0]).toBe(0);
    arena.free(places[1]!);
    const { capacityBytes } = arena.statistics();
    expect(arena.allocate(5 * MiB)).toBe(places[1]);
    expect(arena.statistics()).toEqual({ bytesInUse: 15 * MiB, peakBytes: 15 * MiB, capacityBytes });
  });

  test("makes the last memory as small as the bound of all asks", () => {
    const arena = createArena({ bytes: 12 * MiB, memoryBytes: 8 * MiB });
    const places = [arena.allocate(6 * MiB), arena.allocate(3 * MiB)];
    expect(places.map(memoryOf)).toEqual([0, 1]);
    expect(() => arena.allocate(3 * MiB)).toThrow(userError("engine-memory-full", "9 MiB of 12 MiB"));
  });

  test("puts a block beside another while there is room", () => {
    const arena = arenaOf(2);
    const [, later] = [arena.allocate(5 * MiB), arena.allocate(5 * MiB)];
    expect(memoryOf(arena.allocate(2 * MiB, later))).toBe(1);
    expect(memoryOf(arena.allocate(MiB))).toBe(0);
    // 7 of 8 MiB are taken, and one stays for copies.
    expect(memoryOf(arena.allocate(MiB / 2, later))).toBe(0);
    expect(memoryOf(arena.allocateIn(1, MiB / 2)!)).toBe(1);
    expect(arena.allocateIn(1, MiB)).toBeUndefined();
  });

  test("gives weights a fifth of each memory first, and what is left when all have that", () => {
    const arena = arenaOf(2);
    const weights = Array.from({ length: 4 }, () => arena.allocateWeights(0.75 * MiB));
    expect(weights.map(memoryOf)).toEqual([0, 0, 1, 1]); // a fifth is 1.6 MiB
    arena.free(weights[2]!);
    expect(memoryOf(arena.allocateWeights(0.75 * MiB))).toBe(1);
    arena.free(weights[0]!);
    expect(memoryOf(arena.allocateWeights(1.25 * MiB))).toBe(0);
  });

  test("knows what is left of a block from any place in it", () => {
    const arena = arenaOf(2);
    const [, later] = [arena.allocate(5 * MiB), arena.allocate(5 * MiB)];
    expect(arena.bytesFrom(later!)).toBe(5 * MiB);
    expect(arena.bytesFrom(later! + 2 * MiB)).toBe(3 * MiB);
    expect(() => arena.bytesFrom(later! + 5 * MiB)).toThrow(/No block/);
  });

  test("says what is in use of all memories when they are full, and what to do", () => {
    const arena = arenaOf(2);
    const [first] = [arena.allocate(6 * MiB), arena.allocate(6 * MiB)];
    expect(() => arena.allocate(3 * MiB)).toThrow(
      userError("engine-memory-full", /12 MiB of 16 MiB .*\b3 MiB .*microBatchSize/s),
    );
    arena.free(first!);
    expect(memoryOf(arena.allocate(3 * MiB))).toBe(0);
  });
});
