import { stop } from "esbuild";
import { bundlePrograms, bundleTests } from "./test/bundles.mjs";

/** @returns {Promise<import("jest").Config>} */
export default async function config() {
  const whole = process.argv.slice(2).every((argument) => argument.startsWith("-")); // no path, no name of a test
  const [tests] = await Promise.all([bundleTests(whole), bundlePrograms()]);
  await stop(); // its process would hold a gigabyte
  return {
    roots: [tests],
    testEnvironment: "<rootDir>/test/environment.cjs",
    setupFilesAfterEnv: [`${tests}/setup.js`],
    testSequencer: "<rootDir>/test/sequencer.cjs",
    extensionsToTreatAsEsm: [".ts"],
    transform: { "\\.ts$": "<rootDir>/test/types-off.cjs" },
    testTimeout: 60_000,
    maxWorkers: 2,
    // Node 20 never frees the modules of a suite: some 10 MB each, which every collection of garbage goes through
    workerIdleMemoryLimit: "250MB",
  };
}
