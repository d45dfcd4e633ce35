import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, resolve } from "node:path";
import { writing } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import { makeFolder } from "../../system/make-folder.ts";
import { packageRoot, packageVersion } from "../../system/package-root.ts";

/**
 * Writes a copy of a trainer that imports this package by its name.
 * @param file with the ending of TypeScript or of JavaScript
 * @returns the command that runs it
 * @throws UserError for a folder, another ending, a file that is there unless it may be overwritten, or a refused write
 */
export function writeCopy(name: string, file: string, overwrite: boolean): string {
  if (existsSync(file) && statSync(file).isDirectory())
    throw new UserError("not-a-file", "this is a folder", {
      where: file,
      fix: `Name a file in it: ${join(file, `${name}.ts`)}`,
    });
  const language = /^\.m?(ts|js)$/.exec(extname(file))?.[1] as "ts" | "js" | undefined;
  if (language === undefined)
    throw new UserError("wrong-file-kind", "a copy is TypeScript or JavaScript", {
      where: file,
      fix: "Name a file.ts or a file.js.",
    });
  const shown = relative(process.cwd(), resolve(file)).replaceAll("\\", "/");
  const command = `${language === "ts" ? "npx tsx" : "node"} ${shown} --config my-run.yaml`;
  const text = trainerCopy(sourceOf(name, language), name, command);
  if (!overwrite && existsSync(file))
    throw new UserError("file-exists", "there is such a file already", {
      where: file,
      fix: "--overwrite replaces it.",
    });
  const write = (): void => {
    makeFolder(dirname(resolve(file)));
    writeFileSync(file, text, { flag: overwrite ? "w" : "wx" });
  };
  writing(file, write, "copy again", "Name another file.");
  return command;
}

/**
 * Whether Node reads a `.js` file there as a module: its ending or the nearest package.json says so.
 * @throws UserError for a package.json that Node could not read either
 */
export function isModuleFolder(file: string): boolean {
  if (extname(file).startsWith(".m")) return true;
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && statSync(manifest).isFile()) return typeIn(manifest) === "module";
    if (folder === dirname(folder)) return false;
  }
}

function typeIn(manifest: string): unknown {
  try {
    return (JSON.parse(readFileSync(manifest, "utf8")) as { type?: unknown }).type;
  } catch (cause) {
    throw new UserError("invalid-json", "this package.json cannot be read, so nothing beside it runs in Node", {
      where: manifest,
      fix: "Mend it, then copy again.",
      cause,
    });
  }
}

/** The trainer's text with imports by the package's name, and a first line that says what it is. */
function trainerCopy(text: string, name: string, command: string): string {
  const names = entryNames();
  const head = `// ${command}\n//\n// A copy of the trainer ${name} of tokensift ${packageVersion()}, to edit.\n`;
  return (
    head +
    text
      .replace(/^\/\/ .*\n/, "")
      .replace(/(?<=(?:from|import) ")\.\.\/(?:src\/)?(.+)\.[tj]s(?=")/g, (path, entry: string) => {
        const published = names.get(entry);
        if (published === undefined)
          throw new Error(`trainers/${name} imports ${path}, which the package does not export`);
        return published;
      })
  );
}

function sourceOf(name: string, language: "ts" | "js"): string {
  const path = language === "ts" ? `trainers/${name}.ts` : `dist/trainers/${name}.js`;
  const file = join(packageRoot(), path);
  if (!existsSync(file))
    throw new UserError("missing-file", "there is no such file", { where: path, fix: "In a checkout: npm run build" });
  return readFileSync(file, "utf8");
}

/** The names by which the package's files are imported, by their paths below src, without the ending. */
function entryNames(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  const names = new Map<string, string>();
  for (const [entry, target] of Object.entries(exports)) {
    const path = typeof target === "string" ? undefined : /^\.\/dist\/(.+)\.js$/.exec(target.default)?.[1];
    if (path !== undefined) names.set(path, join("tokensift", entry).replaceAll("\\", "/"));
  }
  return names;
}
