import { describe, expect, test } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures, reference, temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const words = (ids: readonly number[]): string => ids.map((id) => `w${id}`).join(" ");
const cpu = ["--engine", "cpu", "--threads", "1"];
const generate = (...argv: string[]) => tokensift("generate", ...cpu, ...argv);

describe("generate", () => {
  test.each(reference.greedy)("--ids gives what PyTorch gives for $prompt", async ({ prompt, ids }) => {
    const { code, out } = await generate("--model", tied, "--prompt", words(prompt), "--max-tokens", "14", "--ids");
    expect([code, JSON.parse(out)]).toEqual([0, ids]);
  });

  test("prints the text alone to standard output, and speed to standard error", async () => {
    const { prompt, ids } = reference.greedy[1]!;
    const { code, out, err } = await generate("--model", tied, "--prompt", words(prompt), "--max-tokens", "3");
    expect([code, out.replace(/\s/g, "")]).toEqual([0, words(ids.slice(0, 3)).replaceAll(" ", "")]);
    expect(err).toMatch(/2 prompt tokens, 3 new ones, .* tokens\/s; cut off/);
  });

  test("puts the prompt through the chat template, unless --raw says no", async () => {
    const model = folder.copyModel("chat");
    writeFileSync(
      join(model, "chat_template.jinja"),
      "w1 {{ messages[0].content }}{% if add_generation_prompt %} w33{% endif %}",
    );
    const ids = async (...argv: string[]) =>
      (await generate("--model", model, "--ids", "--max-tokens", "5", ...argv)).out;
    const templated = await ids("--prompt", "w20");
    expect(templated).toBe(await ids("--prompt", "w1 w20 w33", "--raw"));
    expect(templated).not.toBe(await ids("--prompt", "w20", "--raw"));
  });

  test("takes a chat template in place of the model's, or of none", async () => {
    const path = folder.write(
      "other.jinja",
      "w2 {{ messages[0].content }}{% if add_generation_prompt %} w34{% endif %}",
    );
    const ids = async (...argv: string[]) =>
      (await generate("--model", tied, "--ids", "--max-tokens", "5", ...argv)).out;
    const templated = await ids("--prompt", "w20", "--chat-template", path);
    expect(templated).toBe(await ids("--prompt", "w2 w20 w34", "--raw"));
    expect(templated).not.toBe(await ids("--prompt", "w20", "--raw"));
  });

  test("draws by seed", async () => {
    const draw = async (seed: string) =>
      (
        await generate(
          "--model",
          tied,
          "--prompt",
          "w1",
          "--temperature",
          "2",
          "--top-k",
          "40",
          "--ids",
          "--seed",
          seed,
        )
      ).out;
    expect(await draw("1")).toBe(await draw("1"));
    expect(await draw("1")).not.toBe(await draw("2"));
  });
});

describe("what cannot be used is refused with exit code 2 and one message:", () => {
  const refused = async (model: string, message: RegExp) => {
    const { code, out, err } = await generate("--model", model, "--prompt", "w1");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n +at /);
  };

  test("a path where nothing is", () => refused(folder.path("nowhere"), /nowhere: there is no model here/));

  test("an id on a hub, with the command that fetches it", () =>
    refused(
      "some-lab/model-1B",
      /there is no model here[^]*hf download some-lab\/model-1B --local-dir models\/model-1B/,
    ));

  test("a prompt with a token that the tokenizer has and the model has not", async () => {
    const model = folder.copyModel("larger");
    writeFileSync(join(model, "added_tokens.json"), JSON.stringify({ "<new>": 1_000 }));
    const { code, out, err } = await generate("--model", model, "--prompt", "w1 <new>");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/larger: the tokenizer gives the id \d+, but the model has \d+ tokens/);
  });

  test("an empty GGUF file", () => refused(folder.write("empty.gguf", ""), /empty\.gguf/));

  test("a GGUF file that claims 2^60 tensors", () => {
    const bytes = readFileSync(join(fixtures, "weights/tiny.gguf"));
    bytes.writeBigUInt64LE(2n ** 60n, 8);
    return refused(folder.write("absurd.gguf", bytes), /absurd\.gguf/);
  });

  test("a safetensors header that lies about its length", () => {
    const model = folder.copyModel("lying");
    const bytes = readFileSync(join(model, "model.safetensors"));
    bytes.writeBigUInt64LE(2n ** 50n, 0);
    writeFileSync(join(model, "model.safetensors"), bytes);
    return refused(model, /model\.safetensors/);
  });

  test("no model, no prompt, a bad number, a bad engine", async () => {
    const errors = [
      await tokensift("generate", "--prompt", "w1"),
      await tokensift("generate", "--model", tied),
      await generate("--model", tied, "--prompt", "w1", "--max-tokens", "many"),
      await generate("--model", tied, "--prompt", "w1", "--top-p", "7"),
      await tokensift("generate", "--model", tied, "--prompt", "w1", "--engine", "gpu"),
    ];
    expect(errors.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(errors.map(({ err }) => /--model|--prompt|--max-tokens|topP|--engine/.exec(err)?.[0])).toEqual([
      "--model",
      "--prompt",
      "--max-tokens",
      "topP",
      "--engine",
    ]);
  });
});
