import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadModel, type Model } from "../../../src/model/index.ts";
import { estimateTokens } from "../../../src/evaluation/critical/estimate-tokens.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { all, close, fixture, openAdapter, rowsOf, spread } from "../../training/cdpo-fixture.ts";
import { tensorCount } from "../../training/reference.ts";

let trunk: Model;
beforeAll(async () => {
  await useEngine("cpu", { threads: 1 });
  trunk = await loadModel(join(import.meta.dirname, "../../fixtures/model/tied"));
});
afterAll(() => {
  trunk.dispose();
  releaseEngine();
});

const open = (name: string) => openAdapter(trunk, name);

describe("the contrastive estimate of two adapters over one trunk", () => {
  test.each([
    ["contrast 1", { contrast: 1 }],
    ["contrast 0.5", { contrast: 0.5 }],
    ["contrast 0", { contrast: 0 }],
    ["plausibility 0.1", { contrast: 1, plausibility: 0.1 }],
  ])("is PyTorch's, with %s", async (name, options) => {
    const [positive, negative] = [await open("positive"), await open("negative")];
    const before = tensorCount();
    const batch = rowsOf(all);
    const estimate = await estimateTokens({ positive, negative }, batch, options);
    close(estimate, spread(fixture.estimates[name]!, all, batch.width), 1e-5);
    expect(tensorCount()).toBe(before);
    positive.dispose();
    negative.dispose();
  });

  test("does not depend on the other rows or on padding", async () => {
    const [positive, negative] = [await open("positive"), await open("negative")];
    for (const row of [2, 5]) {
      const batch = rowsOf([row]);
      const alone = await estimateTokens({ positive, negative }, batch);
      close(alone, spread(fixture.estimates["contrast 1"]!, [row], batch.width), 1e-5);
    }
    positive.dispose();
    negative.dispose();
  });
});
