import { describe, expect, test } from "@jest/globals";
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/model/index.ts";
import { openFile } from "../../src/model/weights/file.ts";
import { readSafetensorsHeader } from "../../src/model/weights/safetensors.ts";
import { adapterFixture, firstText, peftLogits } from "../model/adapters/adapters.ts";
import { distance, logitsOf } from "../model/reference.ts";
import { temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const merge = (adapter: string, ...argv: string[]) =>
  tokensift("merge", "--engine", "cpu", "--threads", "1", "--model", tied, "--adapter", adapter, ...argv);

describe("tokensift merge", () => {
  test.each(["tied", "saved", "tied-embeddings"])(
    "writes a model that computes as with the adapter %s",
    async (name) => {
      const out = folder.path(name);
      const { code, out: said } = await merge(adapterFixture(name), "--out", out);
      expect(code).toBe(0);
      expect(said).toContain("merged");
      const merged = await loadModel(out);
      const expected = peftLogits(name).flat();
      const logits = (await logitsOf(merged, firstText("tied"))).flat();
      expect(distance(logits, expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-5);
      merged.dispose();
      expect(readFileSync(join(out, "README.md"), "utf8")).toContain("tokensift merge");
    },
  );

  test("carries the chat template that lies beside the adapter", async () => {
    const trained = folder.copyModel("trained", adapterFixture("tied"));
    folder.write("trained/chat_template.jinja", "{{ given }}");
    const { code, err } = await merge(trained, "--out", folder.path("templated"));
    expect([code, err]).toEqual([0, expect.stringContaining("chat_template.jinja: used in place of the model's")]);
    expect(readFileSync(folder.path("templated/chat_template.jinja"), "utf8")).toBe("{{ given }}");
  });

  test("writes another format, rounded once", async () => {
    const out = folder.path("rounded");
    expect((await merge(adapterFixture("tied"), "--out", out, "--dtype", "bfloat16")).code).toBe(0);
    const file = await openFile(join(out, "model.safetensors"));
    const tensors = await readSafetensorsHeader(file);
    await file.close();
    expect(new Set([...tensors.values()].map(({ encoding }) => encoding.name))).toEqual(new Set(["BF16"]));
  });

  test("refuses an adapter of another model, a format that is none, and leaves no folder", async () => {
    const out = folder.path("refused");
    for (const [adapter, argv, message] of [
      [adapterFixture("dora"), [], /lora_A|lora_B|lora_magnitude/],
      [adapterFixture("embeddings"), [], /lm_head|embed_tokens|q_proj/],
      [folder.path("nothing"), [], /nothing/],
      [adapterFixture("tied"), ["--dtype", "int8"], /--dtype/],
    ] as const) {
      const { code, err } = await merge(adapter, "--out", out, ...argv);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    }
    const { code, err } = await tokensift("merge", "--model", tied, "--out", out);
    expect([code, err]).toEqual([2, expect.stringContaining("--adapter")]);
    expect(existsSync(out)).toBe(false);
  });

  test("says in plain ASCII how far the logits moved, and in its card which rounding moves what", async () => {
    const out = folder.path("told");
    const { out: said } = await merge(adapterFixture("tied"), "--out", out, "--dtype", "bfloat16");
    expect(said).toMatch(/ moved by [\d.]+(e-\d+)? of the largest/);
    const card = readFileSync(join(out, "README.md"), "utf8");
    expect(card).toMatch(/bfloat16.*rounded.*-log p.*0\.01.*`--dtype float32`/);
    expect(card).not.toMatch(/the run|save\.dtype/);
  });

  test("writes to what a link names, and refuses a link to nothing", async () => {
    const [model, link, dangling] = ["linked", "link", "dangling"].map((name) => folder.path(name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(model);
    symlinkSync(model, link);
    symlinkSync(folder.path("gone"), dangling);
    const argv = ["--out", link];
    expect((await merge(adapterFixture("tied"), ...argv)).code).toBe(0); // it names an empty folder
    expect((await merge(adapterFixture("tied"), ...argv)).code).toBe(0); // and now a model
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(model)).toContain("model.safetensors");
    const { code, err } = await merge(adapterFixture("tied"), "--out", dangling);
    expect([code, err]).toEqual([2, expect.stringMatching(/dangling: .*link to nothing/)]);
  });

  test("looks at the folder before it loads anything", async () => {
    const file = folder.write("file", "mine");
    mkdirSync(folder.path("full"));
    folder.write("full/thesis.txt", "years of work");
    for (const [out, message] of [
      [file, /file: /],
      [join(file, "below"), /below: /],
      [folder.path("full"), /thesis\.txt/],
      ["/", /files that are not part of the model/],
    ] as const) {
      const { code, err } = await merge(folder.path("no-such-adapter"), "--out", out);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
      expect(err).not.toMatch(/engine:|no-such-adapter/);
    }
  });
});
