import { describe, expect, test } from "@jest/globals";
import { curvesPlot, shortNumber, spread } from "../../src/report/plots.ts";
import { seriesOf, smoothed, smoothingWindow, thinned } from "../../src/report/series.ts";

const points = (...ys: number[]) => ys.map((y, i) => ({ x: i + 1, y }));
const options = { description: "loss", x: "step", y: "nats" };

describe("curves", () => {
  test("are told apart by dash and width and named at their ends", () => {
    const markup = curvesPlot(
      [
        { label: "sstoken", style: 0, points: points(3, 2, 1) },
        { label: "full", style: 1, points: points(3, 2.5, 2) },
      ],
      options,
    )!.markup;
    expect(markup).toMatch(/stroke-dasharray="6 3"/);
    expect(markup).toMatch(/stroke-width="2.2"/);
    expect(markup).toMatch(/>sstoken<\/text>/);
    expect(markup).toMatch(/>full<\/text>/);
  });

  test("leave light and dark to the page, and say to readers of the page what they are", () => {
    const markup = curvesPlot([{ label: "a", style: 0, points: points(1, 2) }], options)!.markup;
    expect(markup).toContain("currentColor");
    expect(markup).toContain("var(--arm-0)");
    expect(markup).not.toMatch(/"white"|"black"|<style/);
    expect(markup).toMatch(/^<svg[^>]* role="img"[^>]*aria-label="loss"|^<svg[^>]* aria-label="loss"[^>]*role="img"/);
  });

  test("without any point are no plot, and those without one are left out", () => {
    expect(curvesPlot([{ label: "a", style: 0, points: [] }], options)).toBeUndefined();
    const markup = curvesPlot(
      [
        { label: "a", style: 0, points: [] },
        { label: "b", style: 1, points: points(1) },
      ],
      { ...options, dots: true },
    )!.markup;
    expect(markup).not.toMatch(/>a<\/text>/);
    expect(markup).toMatch(/>b<\/text>/);
    expect(markup).not.toContain("NaN");
  });

  test("escape names and cut long ones", () => {
    const evil = "<script>&".repeat(10);
    const markup = curvesPlot([{ label: evil, style: 0, points: points(1, 2) }], {
      ...options,
      description: evil,
    })!.markup;
    expect(markup).not.toContain("<script>&");
    expect(markup).toContain("…");
  });

  test("show shares in per cent from 0", () => {
    const markup = curvesPlot([{ label: "a", style: 0, points: points(0.6, 0.6) }], {
      ...options,
      share: true,
    })!.markup;
    expect(markup).toMatch(/>60<\/text>/);
    expect(markup).toMatch(/>0<\/text>/);
  });
});

describe("series", () => {
  const metrics = [
    { step: 1, value: (name: string) => (name === "loss" ? 2 : name === "step" ? 1 : NaN) },
    { step: 2, value: (name: string) => (name === "step" ? 2 : NaN) },
  ];

  test("leave out steps without the number", () => {
    expect(seriesOf(metrics, "loss")).toEqual([{ x: 1, y: 2 }]);
    expect(seriesOf(metrics, "relRange")).toEqual([]);
  });

  test("are smoothed by the mean of a window, or of what there is of it at the ends", () => {
    // window 3: (1+2)/2, (1+2+6)/3, (2+6+3)/3, (6+3)/2
    expect(smoothed(points(1, 2, 6, 3), 3).map((p) => p.y)).toEqual([1.5, 3, 11 / 3, 4.5]);
    expect(smoothed(points(1, 5), 1)).toEqual(points(1, 5));
    expect([1, 59, 60, 150, 3000].map(smoothingWindow)).toEqual([1, 1, 3, 5, 101]);
  });

  test("are thinned to evenly spaced points with both ends", () => {
    expect(thinned(points(...Array.from({ length: 101 }, (_, i) => i)), 5).map((p) => p.y)).toEqual([
      0, 25, 50, 75, 100,
    ]);
    expect(thinned(points(1, 2), 5)).toEqual(points(1, 2));
  });
});

test("names at the ends of curves keep their distance and their order", () => {
  expect(spread([1, 1.1, 5], 1, [0, 10])).toEqual([1, 2, 5]);
  expect(spread([9.8, 9.9], 1, [0, 10])).toEqual([9, 10]);
  expect(spread([5, 5, 5], 8, [0, 10])).toEqual([16, 8, 0]); // more than fits: still apart
});

test("axis numbers are short", () => {
  expect([0.25, 1500, 20_000, 1_250_000, 3e9, -2, 0].map(shortNumber)).toEqual([
    "0.25",
    "1500",
    "20k",
    "1.25M",
    "3G",
    "−2",
    "0",
  ]);
});
