import { spawnSync } from "node:child_process";
import { renameSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { decoderTensors } from "../../../src/model/families/index.ts";
import { openWeights, saveModelFiles, type ModelFiles } from "../../../src/model/weights/index.ts";
import { sibling } from "../../../src/model/weights/leftovers.ts";
import type { ProcessIdentity } from "../../../src/system/process-identity.ts";
import type { DecoderConfig } from "../../../src/model/config.ts";
import { bundledProgram } from "../../program.ts";
import { userError } from "../../user-error.ts";
import { temporaryFolder } from "./files.ts";

const inFolder = temporaryFolder();

const config: DecoderConfig = {
  family: "llama",
  vocabularySize: 5,
  width: 4,
  layers: 1,
  heads: 2,
  keyValueHeads: 1,
  headSize: 2,
  feedForwardWidth: 3,
  maxPositions: 16,
  epsilon: 1e-5,
  rope: { theta: 10_000, scaling: { type: "linear", factor: 2 } },
  tiedOutput: true,
  biases: [],
  initializerRange: 0.02,
  beginOfText: 1,
  endOfText: [2, 3],
};

/** A model of which every tensor counts up from `first`. */
function model(first: number): ModelFiles {
  const tensors = [...decoderTensors(config)].map(([name, shape], i) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { name, shape, values: Float32Array.from({ length: count }, (_, j) => first + i + j) };
  });
  return { config, tensors, tokenizerFiles: { "tokenizer.json": Buffer.from("{}") }, card: "# A model\n" };
}

describe("saving a model folder", () => {
  test("holds the files of Hugging Face's layout and reads back equal", async () => {
    const folder = inFolder("new/deeper/model");
    await saveModelFiles(folder, model(0));
    expect((await readdir(folder)).sort()).toEqual([
      "README.md",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
    expect(await readFile(`${folder}/README.md`, "utf8")).toBe("# A model\n");
    expect(JSON.parse(await readFile(`${folder}/generation_config.json`, "utf8"))).toEqual({
      bos_token_id: 1,
      eos_token_id: [2, 3],
    });
    const weights = await openWeights(folder);
    expect(weights.config).toEqual(config);
    for (const { name, shape, values } of model(0).tensors) {
      expect(weights.shape(name)).toEqual(shape);
      expect(await weights.read(name)).toEqual(values);
    }
    await weights.close();
  });

  test("says which number format it wrote", async () => {
    await saveModelFiles(inFolder("brain"), { ...model(0), dtype: "bfloat16" });
    expect(JSON.parse(await readFile(inFolder("brain/config.json"), "utf8"))).toMatchObject({ dtype: "bfloat16" });
    expect((await stat(inFolder("brain/model.safetensors"))).size).toBeLessThan(1500);
  });

  test("replaces a model saved before, and an empty folder", async () => {
    const folder = inFolder("replaced");
    await mkdir(folder);
    await saveModelFiles(folder, model(0));
    await saveModelFiles(folder, model(7));
    const weights = await openWeights(folder);
    expect((await weights.read("model.embed_tokens.weight"))[0]).toBe(7);
    await weights.close();
  });

  test("a folder with anything else in it is left alone", async () => {
    const folder = inFolder("mine");
    await mkdir(folder);
    await writeFile(`${folder}/thesis.txt`, "years of work");
    await expect(saveModelFiles(folder, model(0))).rejects.toThrow(userError("foreign-files", "thesis.txt"));
    await expect(saveModelFiles(`${folder}/thesis.txt`, model(0))).rejects.toThrow(
      userError("not-writable", "thesis.txt"),
    );
    await expect(saveModelFiles(`${folder}/thesis.txt/model`, model(0))).rejects.toThrow(
      userError("not-writable", "thesis.txt/model"),
    );
    expect(await readdir(folder)).toEqual(["thesis.txt"]);
  });

  test("a failure halfway leaves the model that was there and nothing else", async () => {
    const folder = inFolder("kept/model");
    await saveModelFiles(folder, model(0));
    const before = await readFile(`${folder}/model.safetensors`);
    const [first, ...rest] = model(7).tensors;
    const failing = { ...first!, values: () => Promise.reject(new Error("engine lost")) };
    await expect(saveModelFiles(folder, { ...model(7), tensors: [failing, ...rest] })).rejects.toThrow("engine lost");
    expect(await readFile(`${folder}/model.safetensors`)).toEqual(before);
    expect(await readdir(dirname(folder))).toEqual(["model"]);
  });

  test("the end of the process in the middle leaves no folder, or where it is killed one that the next write clears", async () => {
    const place = inFolder("ended");
    await mkdir(place);
    const program = await bundledProgram({
      text: `import { writeWholeFolder } from "./src/model/weights/whole-folder.ts";
        import { writeFileSync } from "node:fs";
        await writeWholeFolder(process.argv[2], ["a"], async (folder) => {
          writeFileSync(folder + "/a", "half");
          if (process.argv[3] === "exit") process.exit(7);
          process.kill(process.pid, "SIGKILL");
        });`,
    });
    const end = (how: string) => spawnSync(process.execPath, [program, `${place}/out`, how]);
    expect(end("exit").status).toBe(7);
    expect(await readdir(place)).toEqual([]);
    expect(end("kill").signal).toBe("SIGKILL");
    expect(await readdir(place)).toEqual([expect.stringMatching(/^\.out-.*\.new$/)]);
    await saveModelFiles(`${place}/out`, model(0));
    expect(await readdir(place)).toEqual(["out"]);
  });

  test("what others left beside a folder goes or stays by who left it", async () => {
    const folder = inFolder("beside/model");
    const gone: ProcessIdentity = { host: hostname(), pid: 2 ** 30, birth: "" };
    const [left, old, otherHost, running] = [
      sibling(folder, "new", gone),
      sibling(folder, "old", { ...gone, pid: process.pid, birth: "an earlier process" }),
      sibling(folder, "new", { ...gone, host: "elsewhere" }),
      sibling(folder, "new"),
    ];
    const mine = `${dirname(folder)}/.model-of-mine`;
    for (const path of [left, old, otherHost, running, mine]) await mkdir(path, { recursive: true });
    await saveModelFiles(folder, model(0));
    const kept = [otherHost, running, mine, folder].map((path) => basename(path));
    expect((await readdir(dirname(folder))).sort()).toEqual(kept.sort());
  });

  test("a process that was killed between the two renamings has its model put back", async () => {
    const folder = inFolder("between/model");
    await saveModelFiles(folder, model(0));
    const before = await readFile(`${folder}/model.safetensors`);
    renameSync(folder, sibling(folder, "old", { host: hostname(), pid: 2 ** 30, birth: "" }));
    const check = (): void => {
      throw new Error("stopped");
    };
    await expect(saveModelFiles(folder, { ...model(7), check })).rejects.toThrow("stopped");
    expect(await readFile(`${folder}/model.safetensors`)).toEqual(before);
    expect(await readdir(dirname(folder))).toEqual(["model"]);
  });

  test("what is thrown between two tensors ends the writing and leaves nothing", async () => {
    let calls = 0;
    const check = (): void => {
      if (++calls === 3) throw new Error("asked to stop");
    };
    const folder = inFolder("checked/model");
    await expect(saveModelFiles(folder, { ...model(0), check })).rejects.toThrow("asked to stop");
    expect(await readdir(dirname(folder))).toEqual([]);
  });

  test("refuses a model that is not whole, and file names that lead elsewhere", async () => {
    const tensors = [...model(0).tensors].slice(1);
    await expect(saveModelFiles(inFolder("x"), { ...model(0), tensors })).rejects.toThrow(
      userError("missing-tensor", /1 of 11 .*: model\.embed_tokens\.weight/),
    );
    for (const name of [
      "../x",
      "a/b",
      ".",
      "..",
      "config.json",
      "model.safetensors",
      "additional_chat_templates/../x.jinja",
    ]) {
      const saving = saveModelFiles(inFolder("x"), { ...model(0), tokenizerFiles: { [name]: new Uint8Array(0) } });
      await expect(saving).rejects.toThrow(userError("invalid-file-name", `"${name}"`));
    }
    await expect(stat(inFolder("x"))).rejects.toThrow("ENOENT");
  });
});
