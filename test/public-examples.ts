import { build, type Plugin } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { programOf, publicEntries, type PublicName } from "../scripts/public-api.ts";
import type { Shown } from "./public-example-checks.ts";

const root = resolve(import.meta.dirname, "..");

/**
 * An example of a docstring, a module that imports from the entries of the package. A statement that ends in
 * `//=> value` says what its expression is: numbers to four digits, typed arrays as arrays, an error by its message.
 */
export interface ExampleModule {
  /** The name that it shows. */
  readonly title: string;
  readonly text: string;
}

/** The examples of names, each once however many entries export it. */
export function exampleModules(names: readonly PublicName[]): ExampleModule[] {
  const all = names.flatMap(({ name, examples }) => examples.map((text) => ({ title: name, text })));
  return [...new Map(all.map((example) => [example.title + example.text, example])).values()];
}

/** What the compiler has against the examples, a line each. They are written to `folder`. */
export function exampleProblems(examples: readonly ExampleModule[], folder: string, program: ts.Program): string[] {
  mkdirSync(folder, { recursive: true });
  const paths = examples.map((_, i) => join(folder, `example-${i}.ts`));
  examples.forEach(({ text }, i) => writeFileSync(paths[i]!, `${text}\nexport {};\n`));
  const checked = programOf(paths, program);
  return paths.flatMap((path, i) => {
    const file = checked.getSourceFile(path)!;
    return [...checked.getSyntacticDiagnostics(file), ...checked.getSemanticDiagnostics(file)].map(
      ({ messageText }) => `${examples[i]!.title}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
  });
}

/**
 * Runs the examples one after another in one process, in a place that has `models/` and `datasets/` of this checkout.
 * @param folder fresh, two below the root as the files of `src/`, from where they name others
 */
export async function runExamples(examples: readonly ExampleModule[], folder: string): Promise<Shown[]> {
  const place = join(folder, "place");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), '{ "type": "module" }');
  for (const name of ["models", "datasets"]) symlinkSync(join(root, name), join(place, name));
  const main = await bundle(examples, folder);
  const { stdout, stderr } = spawnSync(process.execPath, [main], { cwd: place, encoding: "utf8" });
  const last = stdout.trimEnd().split("\n").at(-1)!;
  if (!last.startsWith("[")) throw new Error(`the examples printed\n${stdout}${stderr}`);
  return JSON.parse(last) as Shown[];
}

/** Path of a script that runs them. */
async function bundle(examples: readonly ExampleModule[], folder: string): Promise<string> {
  const checks = JSON.stringify(join(root, "test/public-example-checks.ts"));
  examples.forEach((example, i) => {
    writeFileSync(join(folder, `example-${i}.ts`), `import { shows } from ${checks};\n${asserting(example)}\n`);
  });
  const attempts = examples.map(
    ({ title }, i) => `await attempt(${JSON.stringify(title)}, () => import("./example-${i}.ts"));`,
  );
  const lines = [`import { attempt, finish } from ${checks};`, ...attempts, "finish();"];
  writeFileSync(join(folder, "main.ts"), lines.join("\n"));
  await build({
    absWorkingDir: root,
    entryPoints: [join(folder, "main.ts")],
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    plugins: [packageEntries],
  });
  return join(folder, "main.js");
}

const packageEntries: Plugin = {
  name: "entries of the package",
  setup(build) {
    const entries = publicEntries();
    build.onResolve({ filter: /^tokensift(\/|$)/ }, ({ path }) => ({ path: entries.get(path)! }));
  },
};

/** The example, with every `expression; //=> value` as a call that compares the two. */
function asserting({ title, text }: ExampleModule): string {
  const file = ts.createSourceFile("example.ts", text, ts.ScriptTarget.Latest, true);
  let result = "";
  let from = 0;
  for (const statement of file.statements) {
    const said = /^[ \t]*\/\/=> *(.+)/.exec(text.slice(statement.end))?.[1];
    if (!ts.isExpressionStatement(statement) || said === undefined) continue;
    const expression = statement.expression.getText(file);
    const names = [title, said].map((name) => JSON.stringify(name)).join(", ");
    result += text.slice(from, statement.getStart(file));
    result += `await shows(${names}, async () => (${expression}), () => (${said}));`;
    from = statement.end;
  }
  return result + text.slice(from);
}
