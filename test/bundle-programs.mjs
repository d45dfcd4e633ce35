import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** What loads files of its own as it runs. */
const external = [
  "@tensorflow/tfjs-node",
  "@tensorflow/tfjs-node-gpu",
  "canvas",
  "koffi",
  "onnxruntime-node",
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

/**
 * Bundles `trainers/` and `bench/`, with the packages they import, once for all suites that start them as processes:
 * so many files cost each start more than most of these runs.
 */
export default async function bundlePrograms() {
  const root = resolve(import.meta.dirname, "..");
  const folder = join(root, ".cache", `programs-${process.pid}`);
  await build({
    absWorkingDir: root,
    entryPoints: ["trainers/*.ts", "bench/main.ts", "bench/ours.ts"],
    outbase: root,
    outdir: folder,
    bundle: true,
    splitting: true,
    external,
    plugins: [registers],
    // packages in CommonJS ask for modules of Node
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    platform: "node",
    format: "esm",
    target: "node20",
  });
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.env["TOKENSIFT_PROGRAMS"] = folder;
}
