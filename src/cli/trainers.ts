import { extname, join } from "node:path";
import { recipes } from "../recipes/list.ts";
import { unknownRecipe } from "../recipes/run-recipe.ts";
import { UserError } from "../system/errors.ts";
import { packageRoot } from "../system/package-root.ts";

/** The trainers of the package, by name, and what each does. */
export const trainers: Readonly<Record<string, string>> = Object.fromEntries(
  recipes.map(({ name, summary }) => [name, summary]),
);

/** The file of a trainer that this program can run: compiled where the program is, else TypeScript. */
export function trainerFile(name: string): string {
  const ending = extname(import.meta.filename);
  return join(packageRoot(), ending === ".ts" ? "trainers" : "dist/trainers", name + ending);
}

/** @throws UserError that names the nearest, where there is no such trainer, or says how a file of the user's own is run */
export function checkTrainerName(name: string): void {
  if (Object.hasOwn(trainers, name)) return;
  const runner = /\.[cm]?(ts|js)$/.exec(name)?.[1];
  if (runner === undefined) throw unknownRecipe(name);
  const { code, message } = unknownRecipe(name);
  throw new UserError(code, message, {
    fix: `A file of yours runs by itself: ${runner === "ts" ? "npx tsx" : "node"} ${name}`,
  });
}
