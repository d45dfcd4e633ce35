import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { collectPlaces } from "../../src/data/places.ts";

test("places come back as they were, in any order of asking, beyond 4 GB too", () => {
  const gap = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 40 }));
  const rows = fc.array(fc.tuple(gap, gap, gap), { minLength: 1, maxLength: 400 });
  fc.assert(
    fc.property(rows, fc.nat(), (distances, seed) => {
      const collector = collectPlaces();
      let [end, line] = [0, 1];
      const expected = distances.map(([before, length, lines]) => {
        const start = end + before;
        end = start + length;
        line += lines;
        collector.add(start, end, line);
        return { start, end, line };
      });
      const places = collector.done();
      expect(places.length).toBe(expected.length);
      expect(expected.map((_, i) => places.at(i))).toEqual(expected);
      const index = seed % expected.length;
      expect([places.at(index), places.at(-1), places.at(expected.length)]).toEqual([
        expected[index],
        undefined,
        undefined,
      ]);
    }),
  );
});

test("of a hundred thousand rows of a few hundred bytes each take less than 2 MB, where three numbers each would take 2.4", () => {
  const before = process.memoryUsage().arrayBuffers;
  const collector = collectPlaces();
  for (let i = 0; i < 100_000; i++) collector.add(400 * i, 400 * i + 399, i + 1);
  const places = collector.done();
  // a byte for each gap and line, two for the length; three numbers of 8 bytes for 64 rows; what is left of two chunks
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 21);
  expect(places.at(99_999)).toEqual({ start: 39_999_600, end: 39_999_999, line: 100_000 });
});
