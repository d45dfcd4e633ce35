// npx tsx scripts/public-api.ts [--names]
//
// Counts what the package exports, values and types of every entry; with --names it lists them.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

/** One name that an entry of the package exports. */
export interface PublicName {
  /** As it is imported: `tokensift/selection`. */
  readonly entry: string;
  readonly name: string;
  readonly kind: "value" | "type";
  /** Where it is declared, absolute, with its line, counted from 1. */
  readonly file: string;
  readonly line: number;
  /** The docstring without its tags; empty where there is none. */
  readonly docstring: string;
  /** The text of each `@example`. */
  readonly examples: readonly string[];
}

const root = resolve(import.meta.dirname, "..");

/** The source of each entry of the package: `tokensift/selection` to the absolute path of `src/selection/index.ts`. */
export function publicEntries(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  return new Map(
    Object.entries(exports).flatMap(([path, target]) => {
      if (typeof target === "string") return [];
      const source = target.default.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts");
      return [[path.replace(/^\./, "tokensift"), join(root, source)] as const];
    }),
  );
}

/** Everything that the package exports, in the order of its entries and of their exports. */
export function publicNames(program: ts.Program): PublicName[] {
  const checker = program.getTypeChecker();
  return [...publicEntries()].flatMap(([entry, path]) => {
    const file = program.getSourceFile(path);
    const module = file && checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${entry}: ${path} exports nothing`);
    return checker.getExportsOfModule(module).map((exported) => describe(checker, entry, exported));
  });
}

/** The compiler's view of files, under the settings of tsconfig.json. */
export function programOf(files: readonly string[], old?: ts.Program): ts.Program {
  const config = join(root, "tsconfig.json");
  const { config: settings } = ts.readConfigFile(config, (path) => readFileSync(path, "utf8")) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...settings, include: [], files: [] }, ts.sys, root);
  const { ParseNone: none, ParseAll: all } = ts.JSDocParsingMode;
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (path, settings, ...rest) => {
    const jsDocParsingMode = path.includes("/node_modules/") ? none : all; // nobody asks for the docstrings of others
    const own = typeof settings === "object" ? { ...settings, jsDocParsingMode } : settings;
    return old?.getSourceFile(path) ?? read(path, own, ...rest);
  };
  const entries = Object.fromEntries([...publicEntries()].map(([entry, path]) => [entry, [path]]));
  return ts.createProgram([...files], { ...options, types: ["node"], paths: entries }, host, old);
}

function describe(checker: ts.TypeChecker, entry: string, exported: ts.Symbol): PublicName {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const declarations = symbol.declarations ?? [];
  // of an overloaded function, each signature is a declaration, and any of them may hold the example
  const tags = declarations.flatMap((declaration) => ts.getJSDocTags(declaration));
  const declaration = declarations[0]!;
  const file = declaration.getSourceFile();
  return {
    entry,
    name: exported.name,
    kind: symbol.flags & ts.SymbolFlags.Value ? "value" : "type",
    file: file.fileName,
    line: file.getLineAndCharacterOfPosition(declaration.getStart(file)).line + 1,
    docstring: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    examples: tags
      .filter(({ tagName }) => tagName.text === "example")
      .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? ""),
  };
}

function main(listed: boolean): void {
  const names = publicNames(programOf([...publicEntries().values()]));
  const count = (of: readonly PublicName[], kind: PublicName["kind"]) => of.filter((each) => each.kind === kind).length;
  for (const entry of publicEntries().keys()) {
    const own = names.filter((each) => each.entry === entry);
    process.stdout.write(`${entry}: ${count(own, "value")} values, ${count(own, "type")} types\n`);
    if (!listed) continue;
    for (const kind of ["value", "type"] as const)
      process.stdout.write(`  ${kind}s: ${own.flatMap((each) => (each.kind === kind ? each.name : [])).join(" ")}\n`);
  }
  process.stdout.write(`all: ${count(names, "value")} values, ${count(names, "type")} types\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href)
  main(process.argv.includes("--names"));
