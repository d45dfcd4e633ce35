import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { recipeCases, type RecipeCase } from "./every-recipe.ts";
import { countOpenings } from "./openings.ts";
import { runHere } from "./run-here.ts";
import type { Ended } from "./small-run.ts";

/** An undisturbed run of a recipe's small configuration. */
export interface WholeRun extends Ended {
  /** The run folder. */
  readonly output: string;
  /** How often the weights of the model to start from were opened; absent where they are fresh. */
  readonly openings?: number;
}

type Made = Ended & Pick<WholeRun, "openings">;

/**
 * The undisturbed run of a recipe: made by the first suite that asks for it, and read by all. Who changes something
 * takes a copy.
 */
export async function wholeRun(name: string): Promise<WholeRun> {
  const folder = join(process.env["TOKENSIFT_PROGRAMS"]!, "whole-runs", name);
  const ended = join(folder, "ended.json");
  mkdirSync(join(folder, ".."), { recursive: true });
  const failed = join(folder, "failed.txt");
  if (begins(folder))
    await make(caseNamed(name), folder, ended).catch((error: unknown) => {
      writeFileSync(failed, String(error));
      throw error;
    });
  while (!existsSync(ended)) {
    if (existsSync(failed)) throw new Error(`the run that all read has failed: ${readFileSync(failed, "utf8")}`);
    await sleep(20);
  }
  return { ...(JSON.parse(readFileSync(ended, "utf8")) as Made), output: join(folder, "out") };
}

/**
 * Copies the undisturbed run into `folder/out`.
 * @returns a configuration that names the copy, and the copy
 */
export async function copyOfWhole(name: string, folder: string): Promise<{ config: string; output: string }> {
  const whole = await wholeRun(name);
  const output = join(folder, "out");
  cpSync(whole.output, output, { recursive: true });
  return { config: caseNamed(name).write(folder), output };
}

/** Whether no other process has begun with it. */
function begins(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function make({ name, write }: RecipeCase, folder: string, ended: string): Promise<void> {
  const config = write(folder);
  const { model } = JSON.parse(readFileSync(config, "utf8")) as { model?: string };
  const counted = model === undefined ? undefined : await countOpenings(join(model, "model.safetensors"));
  const run = await runHere(name, config);
  const made: Made = { ...run, ...(counted && { openings: counted.end() }) };
  writeFileSync(`${ended}.part`, JSON.stringify(made));
  renameSync(`${ended}.part`, ended);
}

function caseNamed(name: string): RecipeCase {
  const found = recipeCases.find((recipe) => recipe.name === name);
  if (found === undefined) throw new Error(`${name} is not among the cases of test/recipes/every-recipe.ts`);
  return found;
}
