import { describe, expect, test } from "@jest/globals";
import type { Signal, Tokens } from "../../src/contract/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import type { SsTokenOptions } from "../../src/selection/sstoken-options.ts";
import { userError } from "../user-error.ts";
import { context, makeTokens } from "./tokens.ts";

/**
 * One prompt token, four response tokens, padding. gamma 0.5.
 *
 *                       prompt    a      b      c      d     pad
 *   historyNll            9      3.0    2.0    1.0    4.0     0
 *   nll                   1      1.0    1.5    3.0    4.0     0
 *   REL = history - nll          2.0    0.5   -2.0    0.0          min -2, max 2, range 4
 *   minmax                       1.0    0.625  0.0    0.5
 *   Attn                         0.1    0.2    0.9    0.6
 *   score                        0.55   0.4125 0.45   0.55
 *
 * The prompt's REL of 8 must not enter the scaling. ratio 0.5 keeps two: a and d.
 */
const row: Tokens<Signal> = {
  rows: 1,
  width: 6,
  rowIds: Float64Array.of(12),
  response: Uint8Array.of(0, 1, 1, 1, 1, 0),
  endOfTurn: Uint8Array.of(0, 0, 0, 0, 1, 0),
  signals: {
    historyNll: Float32Array.of(9, 3, 2, 1, 4, 0),
    nll: Float32Array.of(1, 1, 1.5, 3, 4, 0),
    promptAttention: Float32Array.of(1, 0.1, 0.2, 0.9, 0.6, 0),
  } as Tokens<Signal>["signals"],
};
const kept = (options: SsTokenOptions, tokens = row, samplesSeen = 20_000) => [
  ...ssToken({ preset: "paper", ratio: 0.5, ...options }).weigh(tokens, context({ samplesSeen })),
];
const scores = (options: SsTokenOptions, samplesSeen = 20_000) =>
  [...ssToken({ preset: "paper", ...options }).score.score(row, context({ samplesSeen }))].map((x) => +x.toFixed(4));

describe("ssToken", () => {
  test("scores improvement over the history, scaled over the response, with attention to the prompt", () => {
    expect(scores({})).toEqual([0, 0.55, 0.4125, 0.45, 0.55, 0]);
    expect(kept({})).toEqual([0, 1, 0, 0, 1, 0]);
  });

  test("is improvement alone at gamma 1 and attention alone at gamma 0", () => {
    expect(scores({ gamma: 1 })).toEqual([0, 1, 0.625, 0, 0.5, 0]);
    expect(scores({ gamma: 0 })).toEqual([0, 0.1, 0.2, 0.9, 0.6, 0]);
  });

  test("prefers tokens on which the model has improved, not those on which it got worse", () => {
    expect(kept({ gamma: 1, ratio: 0.25 })).toEqual([0, 1, 0, 0, 0, 0]);
  });

  test("scales each response on its own", () => {
    // Row 1 is row 0 with all REL ten times as large: the scaled REL, and so the choice, is the same.
    const twice: Tokens<Signal> = {
      rows: 2,
      width: 6,
      rowIds: Float64Array.of(1, 2),
      response: Uint8Array.of(...row.response, ...row.response),
      endOfTurn: new Uint8Array(12),
      signals: {
        historyNll: Float32Array.of(9, 3, 2, 1, 4, 0, 9, 21, 6.5, -17, 4, 0),
        nll: Float32Array.of(...row.signals.nll, ...row.signals.nll),
        promptAttention: Float32Array.of(...row.signals.promptAttention, ...row.signals.promptAttention),
      } as Tokens<Signal>["signals"],
    };
    expect(kept({}, twice)).toEqual([0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0]);
  });

  test("keeps 15 of 25 tokens at ratio 0.6", () => {
    const weights = ssToken().weigh(makeTokens(["P" + "r".repeat(25)]), context());
    expect(weights.filter((weight) => weight > 0)).toHaveLength(15);
  });

  test("uses attention alone until warmup.samples rows have been trained", () => {
    expect(scores({ warmup: { samples: 100 } }, 99)).toEqual(scores({ gamma: 0 }));
    expect(scores({ warmup: { samples: 100 } }, 100)).toEqual(scores({ gamma: 0.5 }));
  });

  test("trains every response token in the warm-up when told to, and needs no attention for that", () => {
    const warmup = { samples: 100, trains: "all" } as const;
    expect(kept({ warmup }, row, 99)).toEqual([0, 1, 1, 1, 1, 0]);
    expect(kept({ warmup }, row, 100)).toEqual([0, 1, 0, 0, 1, 0]);
    expect(ssToken({ preset: "paper", gamma: 1, warmup }).needs).toEqual(["nll", "historyNll"]);
    expect(scores({ gamma: 1, warmup }, 99)).toEqual(scores({ gamma: 1 })); // no attention was asked for
    const rule = ssToken({ preset: "paper", warmup });
    expect(rule.metrics!(row, new Float32Array(6), context({ samplesSeen: 0 }))).toMatchObject({ attentionOnly: 0 });
  });

  test("keeps the tokens on which the model has changed least, turned round", () => {
    // minmax of REL: 1, 0.625, 0, 0.5
    expect(kept({ gamma: 1, order: "lowest" })).toEqual([0, 0, 0, 1, 1, 0]);
    expect(kept({ gamma: 1, order: "lowest", ratio: 0.75 })).toEqual([0, 0, 1, 1, 1, 0]);
  });

  test("uses attention alone for a response whose REL hardly differs", () => {
    expect(scores({ minimumRange: 4.01 })).toEqual(scores({ gamma: 0 }));
    expect(scores({ minimumRange: 3.99 })).toEqual(scores({ gamma: 0.5 }));
  });

  test("also keeps tokens the model has been losing, with keepBelow", () => {
    expect(kept({ keepBelow: 1.5 })).toEqual([0, 1, 0, 1, 1, 0]);
    expect(kept({ keepBelow: 2 })).toEqual([0, 1, 0, 0, 1, 0]);
  });

  test("keeps the end of a turn first, with keepEndOfTurn", () => {
    expect(kept({ gamma: 1, ratio: 0.5, keepEndOfTurn: true })).toEqual([0, 1, 0, 0, 1, 0]);
    expect(kept({ gamma: 1, ratio: 0.5 })).toEqual([0, 1, 1, 0, 0, 0]);
  });

  test.each([
    [{ preset: "paper" }, ["nll", "historyNll", "promptAttention"]],
    [{ preset: "paper", gamma: 1 }, ["nll", "historyNll"]],
    [{ preset: "released", gamma: 1 }, ["nll", "historyNll", "promptAttention"]],
    [{ preset: "recommended", gamma: 1 }, ["nll", "historyNll", "promptAttention"]],
    [{ gamma: 0 }, ["promptAttention"]],
    [{ gamma: 0, keepBelow: 1 }, ["nll", "historyNll", "promptAttention"]],
    [{ history: { source: "none" } }, ["promptAttention"]],
    [{ gamma: 1, history: { source: "none" }, preset: "paper" }, ["promptAttention"]],
  ] as const)("with %j asks for %j and nothing more", (options, needs) => {
    expect(ssToken(options).needs).toEqual(needs);
  });

  test("is attention alone without a history", () => {
    expect(scores({ history: { source: "none" }, gamma: 1 })).toEqual(scores({ gamma: 0 }));
  });

  test("takes normaliser, warm-up, minimum range and end-of-turn from the preset", () => {
    const of = (preset: "paper" | "released" | "recommended") => ssToken({ preset });
    expect([of("paper"), of("released"), of("recommended")].map((rule) => rule.divideBy)).toEqual([
      "sequence-budget",
      "micro-batch",
      "kept",
    ]);
    expect(of("paper").settings).toMatchObject({ gamma: 0.5, ratio: 0.6, layer: -1, warmup: { samples: 0 } });
    expect(of("released").settings).toMatchObject({ warmup: { samples: 10_000 }, minimumRange: 0 });
    expect(of("recommended").settings).toMatchObject({ minimumRange: 1e-4, keepEndOfTurn: true });
    expect(ssToken().settings).toEqual(of("recommended").settings);
    expect(ssToken({ preset: "released", warmup: { samples: 5 } }).settings.warmup.samples).toBe(5);
  });

  test("reports the raw range of REL, and the share of responses ranked by attention alone", () => {
    const rule = ssToken({ preset: "paper" });
    const report = rule.metrics!(row, rule.weigh(row, context()), context());
    expect(report).toEqual({ relRange: 4, relMin: -2, relMax: 2, attentionOnly: 0 });
    const warm = ssToken({ preset: "released" });
    expect(warm.metrics!(row, new Float32Array(6), context({ samplesSeen: 0 }))).toMatchObject({
      relRange: 4,
      attentionOnly: 1,
    });
    const none = ssToken({ history: { source: "none" } });
    expect(none.metrics!(row, new Float32Array(6), context())).toEqual({ attentionOnly: 1 });
  });

  test.each([
    [{ gamma: 1.1 }, "gamma is 1.1"],
    [{ layer: 0.5 }, "layer is 0.5"],
    [{ warmup: { samples: -1 } }, "warmup.samples is -1"],
    [{ warmup: { samples: 1, trains: "none" } }, "warmup.trains"],
    [{ order: "least" }, "order"],
    [{ minimumRange: -1 }, "minimumRange"],
    [{ keepBelow: -1 }, "keepBelow"],
    [{ history: { source: "" } }, "history.source"],
    [{ history: { source: "ema", decay: 1 } }, "history.decay"],
    [{ preset: "mine" }, "preset"],
    [{ ratio: 0 }, "ratio"],
  ])("refuses %j", (options, option) => {
    expect(() => ssToken(options as SsTokenOptions)).toThrow(userError("invalid-option", `sstoken: ${option}`));
  });
});
