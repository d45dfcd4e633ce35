import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build, transform } from "esbuild";

const root = resolve(import.meta.dirname, "..");

/** What loads files of its own as it runs, and what belongs to Jest. */
const external = [
  "@jest/globals",
  "@tensorflow/tfjs-node",
  "@tensorflow/tfjs-node-gpu",
  "canvas",
  "esbuild",
  "koffi",
  "onnxruntime-node",
  "tsx",
  "typescript",
  "webgpu",
];

/** Its package says that it may be left out, but it is imported for what it registers. */
const registers = {
  name: "keep what registers itself",
  setup(builder) {
    builder.onResolve({ filter: /^@tensorflow\/tfjs-backend-cpu$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === registers) return undefined;
      const { kind, importer, resolveDir } = from;
      const found = await builder.resolve(path, { kind, importer, resolveDir, pluginData: registers });
      return { path: found.path, sideEffects: true };
    });
  },
};

/** Tests ask `expect` of `test/quick-expect.ts`, which asks Jest. */
const quickExpect = {
  name: "quick expect",
  setup(builder) {
    const path = join(root, "test/quick-expect.ts");
    builder.onResolve({ filter: /^@jest\/globals$/ }, ({ importer }) =>
      importer === path ? { path: "@jest/globals", external: true } : { path },
    );
  },
};

/** In a bundle of tests, a module finds the files beside it where its source stands. */
const whereTheSourceIs = {
  name: "where the source is",
  setup(builder) {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path, pluginData }) => {
      if (path.includes("/node_modules/")) return undefined;
      return {
        contents: atItsPlace(await readFile(path, "utf8"), path),
        loader: "ts",
        resolveDir: dirname(path),
        pluginData,
      };
    });
  },
};

function atItsPlace(source, path) {
  return source
    .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)))
    .replaceAll("import.meta.filename", JSON.stringify(path))
    .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
}

/**
 * `trainers/NAME.ts?loop` is the loop that the trainer hands to the command line, and runs nothing; `trainers?loops` those of
 * all recipes, by name.
 */
const loops = {
  name: "a trainer's loop",
  setup(builder) {
    builder.onResolve({ filter: /\?loop$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace("?loop", "")),
      namespace: "loop",
    }));
    builder.onLoad({ filter: /.*/, namespace: "loop" }, async ({ path }) => {
      const [before, after, ...more] = (await readFile(path, "utf8")).split(/^await runRecipe\("[\w-]+", /m);
      if (after === undefined || more.length > 0)
        throw new Error(`${path} has not one runRecipe at the start of a line`);
      const contents = `${before}export const loop = (${after}`;
      return { contents, loader: "ts", resolveDir: dirname(path) };
    });
    builder.onResolve({ filter: /\?loops$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace("?loops", "")),
      namespace: "loops",
    }));
    builder.onLoad({ filter: /.*/, namespace: "loops" }, ({ path }) => {
      const names = readdirSync(path).filter((name) => name !== "reproduce.ts"); // which runs no recipe of its own
      const entries = names.map((name) => `"${name.slice(0, -3)}": () => import("./${name}?loop"),`);
      return { contents: `export const loops = {\n${entries.join("\n")}\n};`, resolveDir: path };
    });
  },
};

/**
 * `group:FOLDER` is the suites of some folders as one: each in a `describe` of its own, with its own copies of what sets up
 * or cleans up in `test/`. What they test, packages, and all else in `test/` they share.
 */
function grouped(groups) {
  const ofTests = join(root, "test/");
  return {
    name: "suites of a folder",
    setup(builder) {
      builder.onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: "group" }));
      builder.onLoad({ filter: /.*/, namespace: "group" }, ({ path }) => {
        const named = groups.get(path).map((suite) => [JSON.stringify(suite), JSON.stringify(join(root, suite))]);
        const described = named.map(([name, file]) => `describe(${name}, () => void require(${file}));`);
        return { contents: `import { describe } from "@jest/globals";\n${described.join("\n")}`, resolveDir: root };
      });
      builder.onResolve({ filter: /^[./].*\.ts$/ }, ({ path, namespace, resolveDir, pluginData }) => {
        const found = resolve(resolveDir, path);
        if (!found.startsWith(ofTests)) return undefined;
        const suite = namespace === "group" ? found : pluginData;
        if (suite === undefined || (namespace !== "group" && !setsUp(found))) return undefined;
        return { path: found, suffix: `?${suite}`, pluginData: suite };
      });
    },
  };
}

const setting = new Map();
/** Whether a module sets up or cleans up as it is imported, or one does that it imports from `test/`. */
function setsUp(path) {
  const known = setting.get(path);
  if (known !== undefined) return known;
  setting.set(path, false); // until its imports are known, of which one may import it
  const source = readFileSync(path, "utf8");
  const imports = [...source.matchAll(/ from "(\.[^"]+\.ts)"/g)].map(([, name]) => resolve(dirname(path), name));
  const found =
    /^(?:before|after)(?:All|Each)\(/m.test(source) ||
    imports.some((name) => name.startsWith(join(root, "test/")) && setsUp(name));
  setting.set(path, found);
  return found;
}

/** Folders whose suites run with those of another: what they share is then loaded, and compiled by V8, once. */
const joins = {
  ...{ config: "cli", evaluation: "cli", grid: "cli", report: "cli", trial: "cli" },
  ...{ eviction: "training", preference: "training", ranking: "training", reward: "training", selection: "training" },
  ...{ datasets: "data", system: "data", text: "data", browser: "tensor", torture: "cli" },
};

/** `group:FOLDER` to the suites of that folder; those that await something before they describe tests are in none. */
async function groupsOf(suites) {
  const groups = new Map();
  for (const suite of suites) {
    if (await awaitsFirst(suite)) continue;
    const [, folder = "."] = dirname(suite).split("/");
    const group = `group:${joins[folder] ?? folder}`;
    groups.set(group, [...(groups.get(group) ?? []), suite]);
  }
  return groups;
}

/** Whether a module awaits something as it is imported, which no module in CommonJS may. */
async function awaitsFirst(path) {
  const source = await readFile(join(root, path), "utf8");
  return transform(source, { loader: "ts", format: "cjs", logLevel: "silent" }).then(
    () => false,
    () => true,
  );
}

/**
 * Bundles the tests, with the packages that they import. Jest loads a module in some milliseconds, and several hundred of
 * them for each suite: most suites spent more time on that than on what they test.
 *
 * @param whole whether all suites will run: those of some folders are then one, which share what is imported, and compiled, once
 * @returns the folder that mirrors `test/`
 */
export async function bundleTests(whole) {
  const folder = await emptyFolder("tests");
  const suites = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name.replaceAll("\\", "/")}`);
  const groups = whole ? await groupsOf(suites) : new Map();
  const inGroups = new Set([...groups.values()].flat());
  const alone = suites.filter((suite) => !inGroups.has(suite));
  await bundle({
    entryPoints: [
      ...[...alone, "test/setup.ts"].map((path) => ({ in: path, out: path.replace(/\.ts$/, "") })),
      ...[...groups.keys()].map((name) => ({ in: name, out: `test/${name.slice(6)}/every.test` })),
    ],
    outdir: folder,
    plugins: [registers, quickExpect, loops, whereTheSourceIs, grouped(groups)],
    sourcemap: "linked",
    sourcesContent: false,
  });
  return join(folder, "test");
}

/**
 * Bundles `trainers/`, `bench/`, the command line and what the package exports likewise, once for all suites that start
 * processes. They find each other through the variable `TOKENSIFT_PROGRAMS`, a folder that serves as the package, too;
 * `TOKENSIFT_ENGINES` holds the engines, which take a while to ask.
 */
export async function bundlePrograms() {
  const folder = await emptyFolder("programs");
  const exported = publicFiles();
  const commandLine = ["src/cli/main.ts", "src/cli/commands.ts"];
  const threads = ["src/data/row-thread.ts", "src/system/owner-mark.ts"];
  const benchmarks = ["bench/main.ts", "bench/ours.ts", "test/list-engines.ts"];
  await bundle({
    entryPoints: ["trainers/*.ts", ...benchmarks, ...commandLine, ...threads, ...exported.map(([, file]) => file)],
    outdir: folder,
    plugins: [registers, trainersOf(folder)],
  });
  const exports = Object.fromEntries(exported.map(([entry, file]) => [entry, `./${file.replace(/\.ts$/, ".js")}`]));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module", exports }));
  process.env["TOKENSIFT_PROGRAMS"] = folder;
  const listed = await promisify(execFile)(process.execPath, [join(folder, "test/list-engines.js")]);
  process.env["TOKENSIFT_ENGINES"] = listed.stdout;
}

/** What the package exports: `./selection` and `src/selection/index.ts`. */
function publicFiles() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.entries(exports).filter(([, target]) => typeof target === "object");
  return entries.map(([entry, target]) => [entry, target.default.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts")]);
}

/** `tokensift train` finds the trainers of the bundle, where an installed package has those of `dist/`. */
function trainersOf(folder) {
  return {
    name: "trainers of the bundle",
    setup(builder) {
      builder.onLoad({ filter: /[\\/]src[\\/]cli[\\/]trainers\.ts$/ }, async ({ path }) => {
        const [before, after, ...more] = (await readFile(path, "utf8")).split('"dist/trainers"');
        if (after === undefined || more.length > 0) throw new Error(`${path} does not name dist/trainers once`);
        const place = JSON.stringify(join(relative(root, folder), "trainers"));
        return { contents: before + place + after, loader: "ts", resolveDir: dirname(path) };
      });
    },
  };
}

async function bundle(options) {
  await build({
    absWorkingDir: root,
    outbase: root,
    bundle: true,
    splitting: true,
    external,
    // packages in CommonJS ask for modules of Node
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    platform: "node",
    format: "esm",
    target: "node20",
    // read in four fifths of the time; names stay, for stacks and for what asks a function for its own
    minifySyntax: true,
    minifyWhitespace: true,
    ...options,
  });
}

/** Two folders below the root, as the files of `src/`; gone with this process. */
async function emptyFolder(name) {
  const folder = join(root, ".cache", `${name}-${process.pid}`);
  await rm(folder, { recursive: true, force: true });
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
