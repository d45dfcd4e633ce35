import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { generatedPages } from "../scripts/build-docs.ts";
import {
  blocksOf,
  commandsOf,
  examplesOf,
  isCheap,
  readPages,
  runPages,
  wordsOf,
  writeExamples,
  type PageResult,
} from "../scripts/page-examples.ts";
import { runCommandLine } from "../src/cli/commands.ts";
import { loadConfig, type ConfigDefinition } from "../src/config/index.ts";
import { parseRecipeArguments } from "../src/recipes/kit/command-line.ts";
import { recipes } from "../src/recipes/list.ts";

const pages = readPages();
const examples = examplesOf(pages);
const commands = [...new Set(pages.flatMap(commandsOf))];
const readme = pages[0]!.markdown;
const running = examples.filter(({ output }) => output !== undefined);
const cheap = commands.flatMap((command) => {
  const words = wordsOf(command.replace(/^npm run -s tokensift -- /, "npx tokensift "));
  const training = trainingOf(command);
  if (training !== undefined)
    return training.argv.includes("--dry-run")
      ? [{ command, words: ["train", training.recipe, ...training.argv] }]
      : [];
  return words[1] === "tokensift" && isCheap(command) ? [{ command, words: words.slice(2) }] : [];
});
const shipped = readdirSync("configs", { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".yaml"));
let folder: string;
let results: readonly PageResult[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-pages-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of ["models", "datasets"]) symlinkSync(resolve(name), join(folder, name));
  for (const name of readdirSync("test/fixtures/sets"))
    // which configurations of docs/data-and-models.md name
    symlinkSync(resolve("test/fixtures/sets", name), join(folder, name));
  cpSync("configs", join(folder, "configs"), { recursive: true });
  // what datasets/make-distracted-problems.ts writes for a configuration, too large to ship
  const made = join(folder, "runs/distracted-problems");
  mkdirSync(made, { recursive: true });
  symlinkSync(resolve("datasets/distracted-problems/train.arrow"), join(made, "pretrain.arrow"));
  writeExamples(folder, examples);
  const wanted = {
    examples: running.map(({ name }) => name),
    commands: cheap.map(({ words }) => words),
  };
  const bundled = process.env["TOKENSIFT_PROGRAMS"]!;
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(bundled, join(folder, "node_modules/tokensift"));
  results = runPages(folder, wanted, join(bundled, "src/cli/commands.js"));
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const resultOf = (name: string) => results.find((result) => result.name === name);

/** The recipe that a command line starts, and its arguments; undefined for another command. */
function trainingOf(command: string): { recipe: string; argv: string[] } | undefined {
  const words = wordsOf(command.replace(/^npm ci && /, ""));
  if (words[1] === "tokensift" && words[2] === "train") return { recipe: words[3]!, argv: words.slice(4) };
  const recipe = /^trainers\/(.+)\.ts$/.exec(words[2] ?? "")?.[1];
  return words[1] === "tsx" && recipe !== undefined && recipe !== "reproduce"
    ? { recipe, argv: words.slice(3) }
    : undefined;
}

describe("examples of the pages", () => {
  test("have names of their own, and each of TypeScript and YAML has one", () => {
    expect(new Set(examples.map(({ name }) => name)).size).toBe(examples.length);
    const unnamed = pages.flatMap(blocksOf).filter(({ language, name }) => /^(ts|yaml)$/.test(language) && !name);
    expect(unnamed).toEqual([]);
    expect(running.map(({ name }) => name)).toEqual(expect.arrayContaining(["loop.ts", "weigh.ts", "rows.ts"]));
  });

  test.each(running)("$page: $name prints what the page says", ({ name, output }) => {
    expect(resultOf(name)).toEqual({ name, code: 0, printed: output });
  });

  test("that print nothing are methods of one's own, each named by a configuration", () => {
    const silent = examples.filter(({ name, output }) => name.endsWith(".ts") && output === undefined);
    const named = examples.filter(({ language }) => language === "yaml").map(({ content }) => content);
    for (const { name } of silent)
      expect([
        name,
        named.some((content) => ["method", "metric"].some((key) => content.includes(`${key}: ./${name}`))),
      ]).toEqual([name, true]);
  });
});

async function definitionOf(recipe: string): Promise<ConfigDefinition<unknown>> {
  const { config } = await recipes.find(({ name }) => name === recipe)!.load();
  return config as unknown as ConfigDefinition<unknown>;
}

describe("commands of the pages", () => {
  const trainings = commands.flatMap((command) => {
    const training = trainingOf(command);
    return training === undefined ? [] : [{ command, ...training }];
  });

  test.each(trainings)("$command: its configuration is valid", async ({ recipe, argv }) => {
    const words = parseRecipeArguments(argv, { name: recipe, summary: "", example: "" });
    if ("help" in words) throw new Error("a page need not show a help text");
    const definition = await definitionOf(recipe);
    expect(() => loadConfig(definition, words.config, { set: words.set, folder })).not.toThrow();
  });

  test("name every configuration that a page writes", () => {
    const started = trainings.map(({ command }) => command).join("\n");
    const grids = commands.filter((command) => command.startsWith("npx tokensift reproduce ")).join("\n");
    for (const { name, language, content } of examples.filter(({ language }) => language === "yaml"))
      if (/^axes:/m.test(content)) expect(grids).toContain(` reproduce ${name}`);
      else expect([language, started]).toEqual(["yaml", expect.stringContaining(` --config ${name}`)]);
  });

  test.each(cheap)("$command: runs", ({ words }) => {
    const result = resultOf(words.join(" "));
    expect(result).toEqual({ name: words.join(" "), code: 0, printed: result?.printed });
    if (words.includes("--dry-run")) expect(result!.printed).toContain("Nothing was written to the run folder.");
  });

  test("`my-rule.ts` keeps the share of tokens that it says", () => {
    const rows = readFileSync(join(folder, "my-weights.jsonl"), "utf8").trimEnd().split("\n");
    const weighed = rows.flatMap((row) => JSON.parse(row) as { response: number[]; weights: number[] });
    const total = (key: "response" | "weights") => weighed.flatMap((row) => row[key]).reduce((a, b) => a + b, 0);
    expect(total("weights")).toBe(Math.ceil(0.3 * total("response")));
  });

  test("of npm and of tsx name scripts and files that exist", () => {
    const { scripts, version } = JSON.parse(readFileSync("package.json", "utf8")) as {
      scripts: Record<string, string>;
      version: string;
    };
    for (const command of commands) {
      const script = /\bnpm run (?:-s )?([\w:]+)/.exec(command)?.[1];
      if (script !== undefined)
        expect([command, Object.keys(scripts)]).toEqual([command, expect.arrayContaining([script])]);
      const file = /\bnpx tsx ([\w./-]+)/.exec(command)?.[1];
      if (file !== undefined) expect([command, existsSync(file)]).toEqual([command, true]);
      const archive = /tokensift-([\d.]+)\.tgz/.exec(command)?.[1];
      if (archive !== undefined) expect(archive).toBe(version);
    }
  });
});

const isGrid = (name: string): boolean => /^axes:/m.test(readFileSync(join("configs", name), "utf8"));

describe("a configuration that ships", () => {
  test.each(shipped)("%s opens with the line that runs it", (name) => {
    const [first] = readFileSync(join("configs", name), "utf8").split("\n");
    const runs = isGrid(name) ? `reproduce.ts configs/${name}` : `${dirname(name)}.ts --config configs/${name}`;
    expect(first!.replace("npm ci && ", "")).toMatch(`# npx tsx trainers/${runs}`);
  });

  // others name models that do not ship; of grids test/grid looks at every cell
  const complete = shipped.filter((name) => !/\/(paper|smollm2)-|\/small-sums\.yaml$/.test(name) && !isGrid(name));
  test.each(complete)("%s is valid", async (name) => {
    const definition = await definitionOf(dirname(name));
    expect(() => loadConfig(definition, join("configs", name), { set: [], folder })).not.toThrow();
  });
});

describe("the pages", () => {
  test.each(Object.entries(generatedPages()))("%s is what `npm run build:docs` writes", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("show each command of tokensift, in the order of its help", async () => {
    const page = pages.find(({ path }) => path === "docs/command-line.md")!;
    const shown = commandsOf(page).map((command) => wordsOf(command)[2]);
    let help = "";
    const streams = { stdout: { write: (text: string) => (help += text) }, stderr: { write: () => true } };
    expect(await runCommandLine(["help"], streams as unknown as typeof process)).toBe(0);
    expect(help.match(/^ {2}[a-z]+(?= {2})/gm)?.map((name) => name.trim())).toEqual(shown);
  });

  test("name every entry of the package", () => {
    const page = pages.find(({ path }) => path === "docs/library.md")!.markdown;
    const named = [...page.matchAll(/^\| `tokensift([\w/-]*)` +\|/gm)].map(([, entry]) => `.${entry!}`);
    const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
    const entries = Object.keys(exports).filter((entry) => !/^\.\/(package\.json|recipes\/.+)$/.test(entry));
    expect(named.sort()).toEqual(entries.sort());
  });

  test("are led to by the README, which is at most 8 KB", () => {
    expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(8192);
    const linked = pages.map(({ markdown }) => markdown).join("");
    for (const { path } of pages.slice(1))
      expect([path, linked.includes(path.split("/").at(-1)!)]).toEqual([path, true]);
  });

  test.each(pages)("$path names configurations, files and headings that exist", ({ path, markdown }) => {
    const shown = [...markdown.matchAll(/(?<![\w./-])(?:configs|trainers|docs|scripts|models|datasets)\/[\w./-]*\w/g)];
    for (const [file] of shown.filter(([name]) => !/NAME|\/my-/.test(name)))
      expect([file, existsSync(file)]).toEqual([file, true]);
    for (const [, link, heading] of markdown.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const target = link === "" ? path : join(dirname(path), link!);
      expect([link, existsSync(target)]).toEqual([link, true]);
      if (heading === undefined) continue;
      const headings = readFileSync(target, "utf8")
        .match(/^#+ .*$/gm)!
        .map(slug);
      expect([link, headings]).toEqual([link, expect.arrayContaining([heading])]);
    }
  });
});

/** The name by which a link reaches a heading. */
function slug(heading: string): string {
  return heading
    .replace(/^#+ /, "")
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}
