import type { ExplorableRun } from "../../report/explorer/explorer.ts";
import { recipes } from "../../recipes/list.ts";
import { UserError } from "../../system/errors.ts";

/** The first run whose rows can be weighed in the page, as its recipe reads it. */
export async function exploredRun(folders: readonly string[]): Promise<ExplorableRun | undefined> {
  const readers = await Promise.all(recipes.flatMap((recipe) => ("explored" in recipe ? [recipe.explored()] : [])));
  for (const folder of folders)
    for (const read of new Set(readers)) {
      try {
        const { run, explorer } = read(folder);
        if (explorer !== undefined) return { run, explorer };
      } catch (error) {
        if (!(error instanceof UserError)) throw error; // the page is made without its rows
      }
    }
  return undefined;
}
