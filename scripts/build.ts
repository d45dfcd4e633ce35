// npx tsx scripts/build.ts
//
// Compiles the package into dist/: src/ by the TypeScript compiler, which also checks it, and each file of trainers/
// by itself, as a person will read and edit it: without its types, but with its comments and its layout.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "oxfmt";
import ts from "typescript";
import { mendDeclarations } from "./declarations.ts";

const root = join(import.meta.dirname, "..");
const { printWidth } = JSON.parse(readFileSync(join(root, ".oxfmtrc.json"), "utf8")) as { printWidth: number };
/** Stands for a blank line, which the compiler would drop. */
const blank = "//:blank";

rmSync(join(root, "dist"), { recursive: true, force: true });
const compiler = join(root, "node_modules/typescript-7/bin/tsc");
execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
mendDeclarations(join(root, "dist"), publishedDeclarations());
mkdirSync(join(root, "dist/trainers"));
for (const file of readdirSync(join(root, "trainers"))) await buildTrainer(join(root, "trainers", file), file);

function publishedDeclarations(): string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { types: string }>;
  };
  return Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [] : [join(root, entry.types)]));
}

async function buildTrainer(path: string, name: string): Promise<void> {
  const marked = readFileSync(path, "utf8").replace(/^[ \t]*$/gm, blank);
  const { outputText } = ts.transpileModule(marked, {
    fileName: path,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  if (outputText.includes("__addDisposableResource"))
    throw new Error(`trainers/${name}: \`using\` becomes unreadable in JavaScript for Node 20; dispose in a finally`);
  const code = outputText
    .replace(new RegExp(`^[ \t]*${blank}$`, "gm"), "")
    .replace(/(?<=(?:from|import) ")\.\.\/src\//g, "../"); // src/ itself is compiled into dist/
  const output = join(root, "dist/trainers", name.replace(/\.ts$/, ".js"));
  const { code: formatted, errors } = await format(output, code, { printWidth });
  if (errors.length > 0) throw new Error(`trainers/${name}: ${errors[0]!.message}`);
  writeFileSync(output, formatted);
}
