import tseslint from "typescript-eslint";

/** `x.add(y)` is declared, but its method is there only where the whole of TensorFlow.js is loaded; `tf.add(x, y)` is. */
const noChainedOperations = {
  create(context) {
    const { program, esTreeNodeToTSNodeMap } = context.sourceCode.parserServices;
    return {
      MemberExpression(node) {
        const symbol = program.getTypeChecker().getSymbolAtLocation(esTreeNodeToTSNodeMap.get(node.property));
        const file = symbol?.declarations?.[0]?.getSourceFile().fileName;
        if (file?.includes("/tfjs-core/dist/public/chained_ops/"))
          context.report({ node, message: "Tensors have no such method here: call the function of tf." });
      },
    };
  },
};

export default tseslint.config(
  {
    ignores: [
      "dist/**",
      ".cache/**",
      "runs/**",
      "node_modules/**",
      "src/tensor/engines/cpu/kernels/**",
      "test/environment.cjs",
    ],
  },
  ...tseslint.configs.strict,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { tokensift: { rules: { "no-chained-operations": noChainedOperations } } },
    rules: {
      "tokensift/no-chained-operations": "error",
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
  { files: ["**/*.cjs"], rules: { "@typescript-eslint/no-require-imports": "off" } },
  {
    files: ["src/tensor/published-tensors.ts"], // names of TensorFlow.js, as consumers know them
    rules: { "@typescript-eslint/no-namespace": "off" },
  },
  { files: ["**/*.js"], rules: { "no-restricted-exports": "off" } },
);
