import { Type, type Static } from "@sinclair/typebox";
import type { KeyPath, Problem } from "./problem.ts";
import { projectionNames } from "./projection-names.ts";
import { type Rename, renamedValues } from "./renames.ts";
import { choice, existingPath, group } from "./schema.ts";
import { amount, count } from "./values.ts";

const adapterOnOff = (description: string) => Type.Optional(Type.Boolean({ description }));

const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true, description });

const namesOrPattern = (description: string) =>
  Type.Optional(
    Type.Union([Type.String({ minLength: 1, description: "A pattern that fits whole names." }), names("Names.")], {
      description,
    }),
  );

const pattern = <T extends ReturnType<typeof count> | ReturnType<typeof amount>>(value: T, description: string) =>
  Type.Optional(Type.Record(Type.String({ minLength: 1 }), value, { description }));

export const adapterGroup = group(
  {
    from: Type.Optional(
      existingPath("A saved adapter to start from, of a run or of PEFT: rank, alpha, and what is changed are its own."),
    ),
    baseModel: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description: "The hub id of the model below, OWNER/NAME, for those who load the adapter elsewhere.",
      }),
    ),
    rank: Type.Optional(count("Rank of each change. Default: 16.", { maximum: 4096 })),
    alpha: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e6,
        description: "The change is scaled by alpha / rank. Default: twice the rank.",
      }),
    ),
    rsLora: adapterOnOff("Scale by alpha / sqrt(rank) instead. Default: false."),
    dora: adapterOnOff(
      "Train the lengths of the changed weights' rows apart (DoRA, arXiv 2402.09353). Default: false.",
    ),
    dropout: Type.Optional(
      amount("Share of its inputs that the adapter does not see in training. Default: 0, or that of adapter.from.", {
        exclusiveMaximum: 1,
      }),
    ),
    projections: Type.Optional(
      Type.Array(choice(projectionNames, { description: "A projection." }), {
        minItems: 1,
        uniqueItems: true,
        description: "The projections that are changed. Default: all that the model has.",
      }),
    ),
    layers: Type.Optional(
      Type.Array(count("A layer, from 0.", { minimum: 0 }), {
        minItems: 1,
        uniqueItems: true,
        description: "The layers that are changed. Default: all.",
      }),
    ),
    targetModules: namesOrPattern(
      "In the place of projections, modules as PEFT names them: all-linear, a pattern, or a list of the ends of names, " +
        "among them also embed_tokens and lm_head.",
    ),
    excludeModules: namesOrPattern("Of these modules all but the ones named so."),
    rankPattern: pattern(
      count("A rank.", { maximum: 4096 }),
      "Other ranks, by the end of a module's name or a pattern of it: { q_proj: 8 }.",
    ),
    alphaPattern: pattern(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: "An alpha." }) as ReturnType<typeof amount>,
      "Other alphas, in the same way.",
    ),
    trunk: Type.Optional(
      choice(["as-stored", "float32"], {
        description:
          "Where the frozen weights are: as-stored (default) leaves those of 16 or fewer bits in their files, which the cpu " +
          "engine reads and widens as it computes, with the same numbers; float32 widens them all into memory at the start.",
      }),
    ),
    modulesToSave: Type.Optional(
      names("Ends of the names of modules that are trained as a whole: [embed_tokens, lm_head]."),
    ),
  },
  { description: "Train a LoRA adapter (arXiv 2106.09685) over frozen weights, instead of all weights." },
);

/** An adapter as a configuration holds it: with a rank, or with one to start from. */
export type AdapterConfig = Static<typeof adapterGroup>;

/** Values of an adapter's keys in earlier versions. */
export function renamesOfAdapter(adapter: string): Rename[] {
  return renamedValues([`${adapter}.projections[]`], { gateUp: "gate-up" });
}

/** What a saved adapter says itself. */
const ofSaved = [
  ...(["rank", "alpha", "rsLora", "dora", "projections", "layers"] as const),
  ...(["targetModules", "excludeModules", "rankPattern", "alphaPattern", "modulesToSave"] as const),
] as const;

/** Defaults of an adapter that depend on its other keys. In place. */
export function fillAdapter(adapter: AdapterConfig | undefined): void {
  if (adapter === undefined || adapter.from !== undefined) return;
  adapter.rank ??= 16;
}

/** Keys of an adapter that contradict each other. */
export function adapterContradictions(adapter: AdapterConfig | undefined, path: KeyPath): Problem[] {
  if (adapter === undefined) return [];
  const name = path.join(".");
  const problem = (key: string, message: string): Problem => ({ path: [...path, key], message, atKey: true });
  const given = (key: keyof AdapterConfig): boolean => adapter[key] !== undefined;
  if (adapter.from !== undefined)
    return ofSaved
      .filter(given)
      .map((key) => problem(key, `cannot be given together with ${name}.from, whose adapter says it; keep one`));
  if (!given("targetModules")) return [];
  const problems: Problem[] = [];
  if (given("projections"))
    problems.push(problem("projections", `cannot be given together with ${name}.targetModules; keep one`));
  const isPattern = typeof adapter.targetModules === "string" && adapter.targetModules !== "all-linear";
  if (isPattern && given("layers"))
    problems.push(problem("layers", `cannot be given together with a pattern in ${name}.targetModules, which says it`));
  return problems;
}
