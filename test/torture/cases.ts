import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWeights } from "../../src/model/weights/open.ts";
import { writeSafetensors } from "../../src/model/weights/safetensors-write.ts";
import { recipes } from "../../src/recipes/list.ts";
import { isRecord } from "../../src/system/is-record.ts";
import { recipeCases, type RecipeCase } from "../recipes/every-recipe.ts";
import { smallSolver } from "../recipes/small-run.ts";
import { type FakeServer, fakeServer } from "../server/fake-server.ts";
import { FakeVllm } from "../server/fake-vllm.ts";

/** A recipe under one variant of its small configuration. */
export interface TortureCase {
  /** Of the recipe. */
  readonly recipe: string;
  /** `cdpo, two files`. */
  readonly name: string;
  /** Writes the configuration, for a run in `output`, and starts the server that it draws from. Returns its file. */
  write(folder: string, output: string): Promise<string>;
  /** Ends what `write` has started. */
  close(): Promise<void>;
}

/**
 * Every recipe of the list, each under all variants of its case.
 * @throws where a recipe of the list has no case
 */
export function tortureCases(): TortureCase[] {
  return recipes.flatMap(({ name }): TortureCase[] => {
    const own = recipeCases.find((each) => each.name === name);
    if (own !== undefined)
      return Object.entries(own.tortured.variants).map(([variant, changes]) => caseOf(own, name, variant, [changes]));
    const like = recipeCases.find(({ alike = {} }) => Object.hasOwn(alike, name));
    if (like === undefined) throw new Error(`${name} has no case in test/recipes/every-recipe.ts`);
    return [caseOf(like, name, "plain", [like.alike![name]!])];
  });
}

interface Given {
  model?: string;
  sampling?: { server?: { url: string } };
}

function caseOf(
  { write, tortured }: RecipeCase,
  recipe: string,
  variant: string,
  changes: readonly object[],
): TortureCase {
  let server: FakeServer | undefined;
  return {
    recipe,
    name: `${recipe}, ${variant}`,
    close: async () => server?.close(),
    async write(folder, output) {
      const path = write(folder, output);
      const small: unknown = JSON.parse(readFileSync(path, "utf8"));
      const config = [tortured.brief, ...changes].reduce<unknown>(merged, small) as Given;
      if (config.model === "stored-model") await writeStoredModel(join(folder, "stored-model"));
      if (config.sampling?.server !== undefined) {
        await server?.close();
        const vllm = new FakeVllm(smallSolver);
        server = await fakeServer((asked) => vllm.answer(asked));
        config.sampling.server.url = server.url;
      }
      writeFileSync(path, JSON.stringify(config, undefined, 2));
      return path;
    },
  };
}

/** Merges key by key; null removes a key, and a list takes the place of another. */
function merged(below: unknown, above: unknown): unknown {
  if (!isRecord(above)) return above;
  const base = isRecord(below) ? below : {};
  const entries = [...new Set([...Object.keys(base), ...Object.keys(above)])].map(
    (key) => [key, Object.hasOwn(above, key) ? merged(base[key], above[key]) : base[key]] as const,
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

/** The small solver in bfloat16. */
async function writeStoredModel(folder: string): Promise<void> {
  cpSync(smallSolver, folder, { recursive: true });
  const file = join(folder, "model.safetensors");
  rmSync(file);
  const weights = await openWeights(smallSolver);
  const tensors = weights
    .names()
    .map((name) => ({ name, shape: weights.shape(name), values: () => weights.read(name) }));
  await writeSafetensors(file, tensors, { type: "bfloat16" });
  await weights.close();
}
