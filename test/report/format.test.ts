import { describe, expect, test } from "@jest/globals";
import {
  formatDifference,
  formatDuration,
  formatFixed,
  formatNumber,
  formatShare,
  terminalNumber,
} from "../../src/report/format.ts";

describe("formatNumber", () => {
  test.each([
    [0, "0"],
    [12345, "12,345"],
    [-1234567, "−1,234,567"],
    [1.23456, "1.235"],
    [56.784, "56.78"],
    [1234.5, "1,235"],
    [0.012345, "0.0123"],
    [0.5, "0.500"],
    [0.00001234, "1.23e−5"],
    [1.5e12 + 0.5, "1.50e12"],
    [Infinity, "∞"],
    [-Infinity, "−∞"],
    [NaN, "–"],
    [null, "–"],
    [undefined, "–"],
  ])("%p is %s", (value, text) => expect(formatNumber(value)).toBe(text));
});

test("a terminal's numbers have the minus sign of ASCII, in front and in exponents", () => {
  expect([-1234, -1.82e-6, 0.5].map((x) => terminalNumber(x))).toEqual(["-1,234", "-1.82e-6", "0.500"]);
});

test("fixed places round, group thousands and show what is not finite", () => {
  expect([1.23456, 1234.5, 0, NaN, Infinity, -0.00001].map((x) => formatFixed(x, 2))).toEqual([
    "1.23",
    "1,234.50",
    "0.00",
    "–",
    "∞",
    "0.00",
  ]);
});

test("differences carry a sign unless they round to 0", () => {
  expect([0.0123, -0.3, 0, 0.00001, NaN].map((x) => formatDifference(x, 3))).toEqual([
    "+0.012",
    "−0.300",
    "0.000",
    "0.000",
    "–",
  ]);
});

test("shares are in per cent", () => {
  expect([formatShare(0.6), formatShare(0.1234, 1), formatShare(NaN), formatShare(null)]).toEqual([
    "60 %",
    "12.3 %",
    "–",
    "–",
  ]);
});

describe("formatDuration", () => {
  test.each([
    [0.04, "0.0 s"],
    [9.94, "9.9 s"],
    [9.96, "10 s"],
    [59.6, "1 min 00 s"],
    [185, "3 min 05 s"],
    [3599.6, "1 h 00 min"],
    [7620, "2 h 07 min"],
    [86399, "1 d 00 h"],
    [4 * 86400 + 3 * 3600, "4 d 03 h"],
    [-1, "–"],
    [NaN, "–"],
    [undefined, "–"],
  ])("%p seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});
