import { readFile, rm } from "node:fs/promises";
import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

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

/** In a bundle of tests, a module finds the files beside it where its source stands. */
const whereTheSourceIs = {
  name: "where the source is",
  setup(builder) {
    builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path.includes("/node_modules/")) return undefined;
      return { contents: atItsPlace(await readFile(path, "utf8"), path), loader: "ts", resolveDir: dirname(path) };
    });
  },
};

function atItsPlace(source, path) {
  return source
    .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)))
    .replaceAll("import.meta.filename", JSON.stringify(path))
    .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
}

/** `trainers/NAME.ts?loop` is the loop that the trainer hands to the command line, as a function. */
const loops = {
  name: "a trainer's loop",
  setup(builder) {
    builder.onResolve({ filter: /\?loop$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace("?loop", "")),
      namespace: "loop",
    }));
    builder.onLoad({ filter: /.*/, namespace: "loop" }, async ({ path }) => {
      const [before, after, ...more] = (await readFile(path, "utf8")).split(/^await runRecipe\(\w+, /m);
      if (after === undefined || more.length > 0)
        throw new Error(`${path} has not one runRecipe at the start of a line`);
      return { contents: `${before}export const loop = (${after}`, loader: "ts", resolveDir: dirname(path) };
    });
  },
};

/**
 * Bundles the tests, with the packages that they import. Jest loads a module in some milliseconds, and several hundred of
 * them for each suite: most suites spent more time on that than on what they test.
 *
 * @returns the folder that mirrors `test/`
 */
export async function bundleTests() {
  const folder = await emptyFolder("tests");
  await bundle({
    entryPoints: ["test/**/*.test.ts", "test/setup.ts"],
    outdir: folder,
    plugins: [registers, loops, whereTheSourceIs],
    sourcemap: "linked",
    sourcesContent: false,
  });
  return join(folder, "test");
}

/**
 * Bundles `trainers/` and `bench/` likewise, once for all suites that start them as processes. They find each other
 * through the variable `TOKENSIFT_PROGRAMS`.
 */
export async function bundlePrograms() {
  const folder = await emptyFolder("programs");
  await bundle({
    entryPoints: ["trainers/*.ts", "bench/main.ts", "bench/ours.ts"],
    outdir: folder,
    plugins: [registers],
  });
  process.env["TOKENSIFT_PROGRAMS"] = folder;
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
