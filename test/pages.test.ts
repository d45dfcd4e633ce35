import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readmeCommands, readmeExamples, runTypeScript, writeExamples } from "../scripts/readme-examples.ts";
import { runCommandLine } from "../src/cli/commands.ts";
import { entryNamed, namesOf } from "../src/config/catalogue.ts";
import { loadConfig } from "../src/config/index.ts";
import { finetuneDefinition } from "../src/recipes/finetune/config.ts";
import { rules } from "../src/selection/index.ts";

const readme = readFileSync("README.md", "utf8");
const examples = readmeExamples(readme);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-readme-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of ["models", "datasets"]) symlinkSync(resolve(name), join(folder, name));
  writeExamples(folder, examples);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("examples of the README", () => {
  const running = examples.filter(({ output }) => output !== undefined);

  test("are the two loops, a configuration and a rule", () => {
    expect(examples.map(({ name }) => name)).toEqual(["weigh.ts", "loop.ts", "my-run.yaml", "my-rule.ts"]);
    expect(running.map(({ name }) => name)).toEqual(["weigh.ts", "loop.ts"]);
  });

  test.each(running)("$name prints what the README says", ({ name, output }) => {
    // the checkout's tsconfig.json leads `tokensift/...` to src/
    expect(runTypeScript(folder, ["--tsconfig", resolve("tsconfig.json"), name])).toBe(output);
  });

  test("my-run.yaml is a valid configuration", () => {
    const definition = finetuneDefinition({ method: "sstoken" });
    const { config } = loadConfig(definition, join(folder, "my-run.yaml"), { set: [] });
    expect(config.training).toMatchObject({ steps: 100, batchSize: 16, microBatchSize: 8, learningRate: 1e-4 });
    expect(config.compare.map(({ name }) => name)).toEqual(["full", "random"]);
    expect(config.model).toBe(join(folder, "models/tiny-noisy"));
  });

  test("my-rule.ts is a rule that `tokensift score` weighs with", () => {
    const data = ["--data", "datasets/word-problems/validation.arrow", "--rows", "2"];
    const score = ["score", "--model", "models/tiny", ...data, "--selector", "./my-rule.ts", "--out", "weights.jsonl"];
    const printed = runTypeScript(folder, [
      "--tsconfig",
      resolve("tsconfig.json"),
      resolve("src/cli/main.ts"),
      ...score,
    ]);
    expect([printed, existsSync(join(folder, "weights.jsonl"))]).toEqual([printed, true]);
    const rows = readFileSync(join(folder, "weights.jsonl"), "utf8").trimEnd().split("\n");
    const weighed = rows.flatMap((row) => JSON.parse(row) as { response: number[]; weights: number[] });
    const total = (key: "response" | "weights") => weighed.flatMap((row) => row[key]).reduce((a, b) => a + b, 0);
    expect(total("weights")).toBe(Math.ceil(0.3 * total("response")));
  });
});

describe("the README", () => {
  test("shows each command of tokensift once, in the order of its help", async () => {
    const commands = readmeCommands(readme, "npx tokensift").map((line) => line.split(" ")[2]);
    let help = "";
    const streams = { stdout: { write: (text: string) => (help += text) }, stderr: { write: () => true } };
    expect(await runCommandLine(["help"], streams as unknown as typeof process)).toBe(0);
    expect(help.match(/^ {2}[a-z]+(?= {2})/gm)?.map((name) => name.trim())).toEqual(commands);
  });

  test("lists the rules of the catalogue with their papers", () => {
    const section = readme.split(/^## /m).find((text) => text.startsWith("The rules\n"))!;
    const listed = [...section.matchAll(/^\| `([a-z0-9-]+)` +\| .*\|$/gm)].map(([row, name]) => ({ row, name: name! }));
    expect(listed.map(({ name }) => name)).toEqual(namesOf(rules));
    for (const { name, row } of listed) {
      const { paper, create } = entryNamed(rules, name);
      if (paper !== undefined) expect(row).toContain(`(${paper})`);
      for (const need of create({}).needs) {
        expect(row).toContain(need.startsWith("column:") ? "column:NAME" : `\`${need}\``);
      }
    }
  });

  test("names configurations, recipes and files that exist", () => {
    const paths = [...readme.matchAll(/(?:configs|trainers|docs|scripts|models|datasets)\/[\w./-]*\w/g)].map(String);
    expect(paths.length).toBeGreaterThan(8);
    for (const path of paths) expect([path, existsSync(path)]).toEqual([path, true]);
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => link!);
    for (const link of links) expect([link, existsSync(link)]).toEqual([link, true]);
  });
});
