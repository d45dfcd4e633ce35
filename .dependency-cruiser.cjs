/**
 * Imports point one way. `order` lists the floors of src/ from the ground up; a file may import from its own
 * folder and from lower floors only.
 */
const order = [
  ["contract", "system"],
  ["server"],
  ["ranking", "text", "tensor", "config"],
  ["data", "model"],
  ["selection", "preference", "reward", "eviction"],
  ["evaluation", "training"],
  ["report"],
  ["recipes"],
  ["grid", "trial"],
  ["cli"],
];

/** Sources of what the package exports. */
const published = Object.values(require("./package.json").exports)
  .filter((entry) => typeof entry === "object")
  .map((entry) => entry.default.replace(/^[.]\/dist\/(.*)[.]js$/, "^src/$1[.]ts$"));

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
        pathNot: "^src/(reward/model|eviction/(gates|cache))/",
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
    {
      name: "recipes-by-the-list",
      comment: "what stands above the recipes knows them through list.ts alone, and what they share",
      severity: "error",
      from: { path: "^src/(grid|trial|cli)/" },
      to: { path: "^src/recipes/", pathNot: "^src/recipes/(kit/|[^/]+$)" },
    },
    {
      name: "defining-files",
      comment: "an index.ts that package.json exports is for those outside; src/ imports from the files that define",
      severity: "error",
      from: { path: "^src/" },
      to: { path: published },
    },
    { name: "library-not-trainers", severity: "error", from: { path: "^src/" }, to: { path: "^trainers/" } },
    {
      name: "trainers-use-the-public-interface",
      comment: "what a trainer imports, a copy of it imports from the package: files that package.json exports",
      severity: "error",
      from: { path: "^trainers/" },
      to: { pathNot: published },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
