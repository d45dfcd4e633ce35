/** @type {import("jest").Config} */
export default {
  roots: ["<rootDir>/test"],
  globalSetup: "<rootDir>/test/bundle-programs.mjs",
  testEnvironment: "<rootDir>/test/environment.cjs",
  setupFilesAfterEnv: ["<rootDir>/test/setup.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript", explicitResourceManagement: true }, target: "es2022" },
        module: { type: "es6" },
      },
    ],
  },
  testTimeout: 60_000,
  maxWorkers: 2,
};
