/**
 * Imports point one way. `order` lists the floors of src/ from the ground up; a file may import from its own
 * folder and from lower floors only.
 */
const order = [
  ["contract", "system"],
  ["ranking", "text", "tensor", "config"],
  ["data", "model"],
  ["selection", "preference", "reward", "eviction"],
  ["evaluation", "training"],
  ["report"],
  ["recipes"],
  ["cli"],
];

const upward = order.flatMap((floor, level) =>
  floor.map((folder) => {
    const allowed = [folder, ...order.slice(0, level).flat()].join("|");
    return {
      name: `${folder}-imports-downward`,
      severity: "error",
      from: { path: `^src/${folder}/` },
      to: { path: "^src/[^/]+/", pathNot: `^src/(${allowed})/` },
    };
  }),
);

module.exports = {
  forbidden: [
    ...upward,
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "pure-folders",
      comment: "rules, objectives and scores know neither tensors nor models; gates, caches and reward models do",
      severity: "error",
      from: {
        path: "^src/(contract|ranking|text|selection|preference|reward|eviction)/",
        pathNot: "^src/(reward/(index|token-reward-model)|eviction/(index|gates/.*|cache/.*))[.]ts$",
      },
      to: { path: "^src/(tensor|model)/|@tensorflow" },
    },
    {
      name: "recipes-apart",
      comment: "a recipe is one folder on the kit: it knows no other recipe, and the kit knows none",
      severity: "error",
      from: { path: "^src/recipes/([^/]+)/" },
      to: { path: "^src/recipes/[^/]+/", pathNot: "^src/recipes/(kit|$1)/" },
    },
    { name: "library-not-trainers", severity: "error", from: { path: "^src/" }, to: { path: "^trainers/" } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
