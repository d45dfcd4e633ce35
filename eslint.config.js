import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/**", "runs/**", "node_modules/**", "src/tensor/engines/cpu/kernels/**", "test/environment.cjs"] },
  ...tseslint.configs.strict,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true } }],
      "no-console": "error",
    },
  },
  {
    files: ["trainers/**", "src/cli/**", "datasets/**", "bench/**"],
    rules: { "no-console": "off" },
  },
  { files: ["**/*.js"], rules: { "no-restricted-exports": "off" } },
);
