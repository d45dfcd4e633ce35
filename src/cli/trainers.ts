import { extname, join } from "node:path";
import { nearest } from "../config/nearest.ts";
import { recipes } from "../recipes/list.ts";
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

/** @throws UserError that names the nearest, where there is no such trainer */
export function checkTrainerName(name: string): void {
  if (Object.hasOwn(trainers, name)) return;
  throw new UserError("unknown-recipe", `there is no recipe ${JSON.stringify(name)}`, { fix: fixOf(name) });
}

function fixOf(name: string): string {
  if (/\.[cm]?ts$/.test(name)) return `A file of yours runs by itself: npx tsx ${name}`;
  if (/\.[cm]?js$/.test(name)) return `A file of yours runs by itself: node ${name}`;
  const names = Object.keys(trainers);
  const near = nearest(name, names);
  return near === undefined ? `The recipes are ${names.join(", ")}.` : `Did you mean ${near}?`;
}
