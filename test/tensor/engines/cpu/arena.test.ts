import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ARENA_START, createArena } from "../../../../src/tensor/engines/cpu/arena.ts";
import { UserError } from "../../../../src/errors.ts";

describe("arena", () => {
  test("aligns blocks to 64 bytes and never hands out the kernels' own range", () => {
    const arena = createArena();
    for (const bytes of [0, 1, 63, 64, 65, 1000, 5_000_000]) {
      const offset = arena.allocate(bytes);
      expect(offset % 64).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(ARENA_START);
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
        const arena = createArena(64 * 2 ** 20);
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
        arena.allocate(Math.floor((capacityBytes - ARENA_START) * 0.85));
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
    const arena = createArena(4 * 2 ** 20);
    expect(() => arena.allocate(5 * 2 ** 20)).toThrow(UserError);
    expect(() => arena.allocate(5 * 2 ** 20)).toThrow(/memory is full: 0 MiB of 4 MiB/);
    expect(arena.allocate(2 ** 20)).toBeGreaterThanOrEqual(ARENA_START);
  });

  test("refuses to free a block twice", () => {
    const arena = createArena();
    const offset = arena.allocate(10);
    arena.free(offset);
    expect(() => arena.free(offset)).toThrow(/No block/);
  });
});
