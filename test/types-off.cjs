const { transformSync } = require("esbuild");

/** TypeScript that a test loads by its path, as a person's own rule is: the tests themselves are bundled. */
module.exports = {
  canInstrument: false,
  process: (source, file) =>
    transformSync(source, { loader: "ts", format: "esm", target: "node20", sourcefile: file, sourcemap: "inline" }),
  processAsync: async (source, file) => module.exports.process(source, file),
};
