import { beforeAll, describe, expect, test } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gateEviction, raggedCache } from "../../src/eviction/cache/index.ts";
import { promptAccount } from "../../src/eviction/cache/prompt-account.ts";
import { loadGates } from "../../src/eviction/gates/index.ts";
import { type GateUse } from "../../src/eviction/gates/use.ts";
import { createModel, generate, loadAdapter, mergeAdapter, saveModel, withAdapter } from "../../src/model/index.ts";
import { adapterFixture, firstText, peftLogits } from "../model/adapters/adapters.ts";
import { fixtures, temporaryFolder, tied, tokensift } from "./run.ts";
import { inLibrary, makeGates } from "./trained.ts";

const folder = temporaryFolder();
const words = (ids: readonly number[]): string => ids.map((id) => `w${id}`).join(" ");
/** Answers in ids, of the tiny model and with 8 tokens where the flags do not say otherwise. */
function answer(...argv: string[]) {
  const model = argv.includes("--model") ? [] : ["--model", tied];
  const most = argv.includes("--max-tokens") ? [] : ["--max-tokens", "8"];
  return tokensift("generate", "--engine", "cpu", "--threads", "1", "--ids", ...model, ...most, ...argv);
}

const prompt = [1, 20, 33, 5, 41, 9, 28, 17, 30, 2, 11, 44];
const use = { sinks: 1, window: 2, threshold: 0.4, rows: "prompts" } as const;
const gates = folder.path("gates");
beforeAll(() => makeGates(gates, use));

/** What the library answers over the gates' cache, and its account of the prompt. */
const expected = (changed: GateUse, adapter?: string) =>
  inLibrary(async (trunk) => {
    const model = adapter === undefined ? trunk : withAdapter(trunk, await loadAdapter(adapter, trunk));
    const loaded = await loadGates(gates, model);
    const settings = { ...use, ...changed };
    const accounts: ReturnType<typeof promptAccount>[] = [];
    const cache = raggedCache(gateEviction(model, loaded, settings), {
      onEvicted: (keep, length, bytes) => {
        accounts.push(promptAccount(keep, length, model, settings));
        expect(accounts[0]!.bytes).toBe(bytes); // what the cache holds is what is counted
      },
    });
    const [first] = await generate(model, [prompt], { maxNewTokens: 8, cache, fastAlone: true });
    return { ids: first!.ids, account: accounts[0]! };
  });

describe("generate --gates", () => {
  const cases: [string, string[], GateUse][] = [
    ["as they were trained", [], {}],
    ["with other exemptions", ["--sinks", "0", "--window", "1"], { sinks: 0, window: 1 }],
    ["with another threshold", ["--threshold", "0.6"], { threshold: 0.6 }],
  ];
  test.each(cases)(
    "answers over the cache that they leave, %s, and says what is kept",
    async (_name, argv, changed) => {
      const { ids, account } = await expected(changed);
      const { code, out, err } = await answer("--prompt", words(prompt), "--gates", gates, ...argv);
      expect([code, JSON.parse(out)]).toEqual([0, ids]);
      const { entries, kept, evicted, bytes, full } = account;
      expect([entries, full]).toEqual([2 * 2 * 12, 2 * 2 * 12 * 2 * 4 * 4]); // layers, heads, tokens; k and v, 4 floats
      expect(evicted).toBeGreaterThan(0);
      expect(kept).toBe(entries - evicted);
      const bytesText = [bytes, full].map((size) => size.toLocaleString("en-US")).join(" of ");
      expect(err).toContain(`the gates keep ${kept} of ${entries} entries of the prompt`);
      expect(err).toContain(`${bytesText} bytes`);
    },
  );

  test("evicts enough to change the answer, and nothing of a prompt that is exempt", async () => {
    const plain = await answer("--prompt", words(prompt));
    expect((await answer("--prompt", words(prompt), "--gates", gates)).out).not.toBe(plain.out);
    const exempt = await answer("--prompt", words(prompt), "--gates", gates, "--window", "12");
    expect([exempt.code, exempt.out]).toEqual([0, plain.out]);
    expect(exempt.err).toMatch(/keep 48 of 48 entries.*the prompt has no others/);
  });

  test("keeps the share that gates which foresee attention were saved with, or that --keep says", async () => {
    const budget = await makeGates(folder.path("budget-gates"), { sinks: 1, window: 2, ratio: 0.5 });
    const flags = ["--prompt", words(prompt), "--gates", budget];
    // of 12 tokens 6 and, rounded up, 5 in each of two heads of two layers
    expect((await answer(...flags)).err).toContain("the gates keep 24 of 48 entries of the prompt");
    expect((await answer(...flags, "--keep", "0.4")).err).toContain("the gates keep 20 of 48 entries of the prompt");
    expect((await answer(...flags, "--threshold", "0.4")).err).toMatch(/--threshold is not used/);
    expect((await answer(...flags, "--keep", "1.5")).err).toMatch(/--keep is 1\.5/);
    const [hard, none] = [
      await answer("--prompt", words(prompt), "--gates", gates, "--keep", "0.4"),
      await answer("--prompt", words(prompt), "--keep", "0.4"),
    ];
    expect([hard.code, hard.err]).toEqual([2, expect.stringMatching(/--keep is not used/)]);
    expect([none.code, none.err]).toEqual([2, expect.stringMatching(/--keep has no gates/)]);
  });

  test("works with an adapter below the gates", async () => {
    const adapter = adapterFixture("tied");
    const { ids, account } = await expected({}, adapter);
    const { out, err } = await answer("--prompt", words(prompt), "--gates", gates, "--adapter", adapter);
    expect(JSON.parse(out)).toEqual(ids);
    expect(err).toContain(`the gates keep ${account.kept} of 48 entries`);
  });

  test("is refused without the adapter, or the weights, that were trained together with the gates", async () => {
    const together = await makeGates(folder.path("finetuned/gates"), use, { together: true });
    const alone = await answer("--prompt", words(prompt), "--gates", together);
    expect([alone.code, alone.out]).toEqual([2, ""]);
    expect(alone.err).toContain(`--gates ${together}: the gates were trained together with an adapter`);
    const adapter = folder.copyModel("finetuned/adapter", adapterFixture("tied"));
    const { err } = await answer("--prompt", words(prompt), "--gates", together);
    expect(err).toContain(`Give what the run has trained: --model ${tied} --adapter ${adapter}\n`);

    const whole = await answer("--prompt", words(prompt), "--gates", together, "--adapter", adapter);
    expect([whole.code, JSON.parse(whole.out)]).toEqual([0, (await expected({}, adapter)).ids]);

    const weights = await makeGates(folder.path("weights/gates"), use, { together: true });
    const model = folder.path("weights/model");
    await inLibrary(async (trunk) => {
      await mergeAdapter(withAdapter(trunk, await loadAdapter(adapter, trunk)));
      await saveModel(trunk, model, { card: "Merged.\n" });
    });
    expect((await answer("--prompt", words(prompt), "--gates", weights)).err).toContain(
      `trained together with the weights of the model, and are wrong without\n  Give what the run has trained: --model ${model}\n`,
    );
    const merged = await answer("--prompt", words(prompt), "--model", model, "--gates", weights);
    expect([merged.code, merged.out]).toEqual([0, whole.out]);
  });

  test("says so in front of another model of the same shape, and not of the same one in another number format", async () => {
    const [other, half] = [folder.path("other-model"), folder.path("half-model")];
    await inLibrary(async (model) => {
      const fresh = await createModel(model.config, model.tokenizer, { seed: 5 });
      await saveModel(fresh, other, { card: "" });
      fresh.dispose();
      await saveModel(model, half, { card: "", dtype: "bfloat16" });
    });
    const said = `${gates}: the gates were trained in front of another model than ${other}, `;
    const foreign = await answer("--prompt", words(prompt), "--gates", gates, "--model", other);
    expect([foreign.code, foreign.err]).toEqual([0, expect.stringContaining(said)]);
    for (const same of [tied, half])
      expect((await answer("--prompt", words(prompt), "--gates", gates, "--model", same)).err).not.toContain(
        "another model",
      );

    const old = folder.copyModel("unsampled-gates", gates); // of an earlier release
    const path = join(old, "gates.json");
    const { sample, ...saved } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    expect(sample).toBeDefined();
    writeFileSync(path, JSON.stringify(saved));
    expect((await answer("--prompt", words(prompt), "--gates", old, "--model", other)).err).not.toContain(
      "another model",
    );
    writeFileSync(path, JSON.stringify({ ...saved, sample: { tokens: [-1], values: ["1"] } }));
    expect((await answer("--prompt", words(prompt), "--gates", old)).err).toContain(`${path}: its sample is not one`);
  });

  test("of an earlier release, which did not say how they were trained, keeps the first 4 and the last 16", async () => {
    const old = await makeGates(folder.path("old-gates"), use);
    const path = join(old, "gates.json");
    const saved = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    delete saved["use"];
    writeFileSync(path, JSON.stringify(saved));
    const { code, err } = await answer("--prompt", words(prompt), "--gates", old);
    expect([code, err]).toEqual([0, expect.stringMatching(/the first 4 tokens and the last 16 always stay/)]);
  });

  test("says so of gates that were trained on plain text", async () => {
    const text = await makeGates(folder.path("text-gates"), { ...use, rows: "text" });
    expect((await answer("--prompt", words(prompt), "--gates", text)).err).toMatch(/trained on plain text/);
  });
});

describe("generate --adapter", () => {
  test("goes on as PEFT does", async () => {
    const last = peftLogits("tied").at(-1)!;
    const { code, out, err } = await answer(
      ...["--prompt", words(firstText("tied")), "--adapter", adapterFixture("tied"), "--max-tokens", "1"],
    );
    expect([code, JSON.parse(out)]).toEqual([0, [last.indexOf(Math.max(...last))]]);
    expect(err).not.toContain("trained over");
  });

  test.each([
    ["a hub's name", "someone/other-model"],
    ["a path to other weights", join(fixtures, "model/untied")],
  ])("tells a base model that is another: %s", async (_name, base) => {
    const adapter = folder.copyModel(`adapter-${base.length}`, adapterFixture("tied"));
    const path = join(adapter, "adapter_config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...config, base_model_name_or_path: base }));
    const { code, err } = await answer("--prompt", "w1", "--adapter", adapter);
    expect([code, err]).toEqual([0, expect.stringContaining(`trained over ${base}, and is used over ${tied}`)]);
  });

  test("says nothing of a base model that lies elsewhere, with the same weights", async () => {
    const adapter = folder.copyModel("moved-adapter", adapterFixture("tied"));
    const path = join(adapter, "adapter_config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as object;
    const base = folder.copyModel("moved");
    writeFileSync(path, JSON.stringify({ ...config, base_model_name_or_path: base }));
    expect((await answer("--prompt", "w1", "--adapter", adapter)).err).not.toContain("trained over");
  });
});

describe("generate refuses with exit code 2 and one message", () => {
  const untied = join(fixtures, "model/untied");
  const cases: [string, () => string[], RegExp][] = [
    ["a model given as an adapter", () => ["--adapter", untied], /holds a whole model, not an adapter/],
    ["a folder that is nowhere", () => ["--adapter", folder.path("nowhere")], /nowhere: there is no adapter here/],
    ["an adapter of another model", () => ["--adapter", adapterFixture("untied")], /belongs to another model/],
    [
      "an adapter given as the model",
      () => ["--model", adapterFixture("tied")],
      /holds only an adapter[^]*--model BASE --adapter/,
    ],
    ["a model given as gates", () => ["--gates", tied], /no gates that could be read[^]*gates\//],
    ["gates of another model's shape", () => ["--model", "models/tiny", "--gates", gates], /gates are for layers 2/],
    ["exemptions without gates", () => ["--sinks", "2"], /--sinks has no gates to change/],
    ["a threshold of 1", () => ["--gates", gates, "--threshold", "1"], /--threshold is 1, but must be below 1/],
  ];
  test.each(cases)("%s", async (_name, argv, message) => {
    const { code, out, err } = await answer("--prompt", "w1", ...argv());
    expect([code, out, err]).toEqual([2, "", expect.stringMatching(message)]);
    expect(err).not.toMatch(/\n +at /);
  });

  test("gates whose settings are damaged", async () => {
    const damaged = await makeGates(folder.path("damaged"), use);
    const path = join(damaged, "gates.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"sinks": 1', '"sinks": -1'));
    const { code, err } = await answer("--prompt", "w1", "--gates", damaged);
    expect([code, err]).toEqual([2, expect.stringMatching(/gates\.json: sinks of the gates must be .* not -1/)]);
  });
});
