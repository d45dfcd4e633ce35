const { createHash } = require("node:crypto");
const { join } = require("node:path");
const { transformSync } = require("esbuild");

/** What `test/bundles.mjs` made of a trainer: Jest would take seconds over the modules of its source. */
const bundled = (trainer) => `import ${JSON.stringify(join(process.env.TOKENSIFT_PROGRAMS, "trainers", trainer))};`;

/** TypeScript that a test loads by its path, as a person's own rule is, or a trainer: the tests themselves are bundled. */
module.exports = {
  canInstrument: false,
  process(source, file) {
    const trainer = /[\\/]trainers[\\/]([\w-]+)\.ts$/.exec(file)?.[1];
    if (trainer !== undefined) return { code: bundled(`${trainer}.js`) };
    return transformSync(source, {
      loader: "ts",
      format: "esm",
      target: "node20",
      sourcefile: file,
      sourcemap: "inline",
    });
  },
  processAsync: async (source, file) => module.exports.process(source, file),
  getCacheKey: (source, file) =>
    createHash("sha256").update([process.env.TOKENSIFT_PROGRAMS, file, source].join("\0")).digest("hex"),
};
