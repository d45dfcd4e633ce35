import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { full } from "../../src/selection/full.ts";
import { random } from "../../src/selection/random.ts";
import { rho1 } from "../../src/selection/rho1.ts";
import { restoreCheckpoint, saveCheckpoint, type TrainOptions } from "../../src/training/index.ts";
import { checkpointPath } from "../../src/training/checkpoint-files.ts";
import { contents, identity, open, options, trainTo } from "./saved-state.ts";
import { tensorCount } from "./reference.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a run continued from a checkpoint is the uninterrupted one, byte for byte", () => {
  const adapter = { rank: 3, dropout: 0.2, seed: 4 };
  const runs: [string, Parameters<typeof open>[0], Partial<TrainOptions>, Parameters<typeof open>[1]?][] = [
    ["ssToken with a history column", "column", {}],
    ["ssToken with a moving average", "ema", {}],
    ["with accumulation", "column", { microBatchSize: 1 }],
    ["a moving average and accumulation", "ema", { microBatchSize: 3 }],
    ["in the file's order", "column", { shuffle: false }],
    ["an epoch in two steps", "column", { batchSize: 5 }],
    ["several epochs in a step", "column", { batchSize: 23, microBatchSize: 8 }],
    ["packed rows", "column", { packing: 24, batchSize: 3, microBatchSize: 2 }],
    ["packed rows in the file's order", "ema", { packing: 24, batchSize: 2, microBatchSize: 1, shuffle: false }],
    ["rho1 over the step", "live", { rule: rho1(), microBatchSize: 2 }],
    ["random", "none", { rule: random() }],
    ["full", "none", { rule: full() }],
    ["an adapter with dropout", "column", { microBatchSize: 2 }, adapter],
    ["an adapter and a moving average of it", "ema", {}, adapter],
  ];

  test.each(runs.map((each) => [each[0], each] as const))("%s", async (_, [, history, change, lora]) => {
    const given = options(change);
    const whole = await open(history, lora);
    const records = await trainTo(6, whole.state, given);

    const first = await open(history, lora);
    const before = await trainTo(3, first.state, given);
    await saveCheckpoint(folder, first.state, { identity });
    const stopped = await contents(first.state);
    first.dispose();

    const second = await open(history, lora);
    expect(await restoreCheckpoint(checkpointPath(folder, 3), second.state, { identity })).toEqual([]);
    expect(await contents(second.state)).toEqual(stopped);
    const after = await trainTo(6, second.state, given);

    expect([...before, ...after].map((each) => JSON.stringify(each))).toEqual(
      records.map((each) => JSON.stringify(each)),
    );
    expect(await contents(second.state)).toEqual(await contents(whole.state));
    whole.dispose();
    second.dispose();
  });

  test("saved after the first update, before it, and before the first step", async () => {
    for (const rule of [
      full(),
      { ...full(), weigh: ({ response }: { response: Uint8Array }) => new Float32Array(response.length) },
    ]) {
      const first = await open("ema");
      await trainTo(1, first.state, options({ rule }));
      await saveCheckpoint(folder, first.state, { identity });
      const second = await open("ema");
      await restoreCheckpoint(checkpointPath(folder, 1), second.state, { identity });
      expect(await contents(second.state)).toEqual(await contents(first.state));
      first.dispose();
      second.dispose();
    }
    const fresh = await open("none");
    await saveCheckpoint(folder, fresh.state, { identity });
    const again = await open("none");
    await restoreCheckpoint(checkpointPath(folder, 0), again.state, { identity });
    expect(await contents(again.state)).toEqual(await contents(fresh.state));
    fresh.dispose();
    again.dispose();
  });

  test("neither saving nor restoring leaves tensors behind", async () => {
    const { state, dispose } = await open("ema");
    await trainTo(1, state, options());
    const before = tensorCount();
    await saveCheckpoint(folder, state, { identity });
    expect(tensorCount()).toBe(before);
    await restoreCheckpoint(checkpointPath(folder, 1), state, { identity });
    expect(tensorCount()).toBe(before);
    dispose();
  });
});
