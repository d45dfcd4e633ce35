/**
 * Runs recipes on disks that fill up at different moments, makes space and continues (Linux, as root):
 *
 *     npx tsx test/recipes/full-disk.ts [sstoken | cdpo | oreal | attention-gate ...] [kilobytes ...]
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recipeCases, type RecipeCase } from "./every-recipe.ts";
import { diskFull, leftovers, mountDisk } from "./small-disk.ts";
import { startTrainer } from "./small-run.ts";

const names = recipeCases.map(({ name }) => name);
const given = process.argv.slice(2);
const chosen = given.filter((argument) => names.includes(argument));
const sizes = given.filter((argument) => !names.includes(argument)).map(Number);
const base = mkdtempSync(join(tmpdir(), "tokensift-full-"));
const folder = join(base, "disk");
const output = join(folder, "out");

const run = (name: string, config: string, ...flags: string[]) => startTrainer(name, config, ...flags).ended;

/** What an undisturbed run leaves, and the kilobytes that it then takes. */
async function undisturbed({ name, results }: RecipeCase, config: string, flags: readonly string[]) {
  const disk = mountDisk(folder, 1 << 17);
  try {
    const { code, stderr } = await run(name, config, ...flags);
    if (code !== 0) throw new Error(stderr);
    return { expected: results(output), kilobytes: disk.used() };
  } finally {
    disk.unmount();
  }
}

/** One full disk: what the run said, and what is wrong with how it ended, was left and continued. */
async function filled(
  { name, results }: RecipeCase,
  config: string,
  flags: readonly string[],
  size: number,
  expected: Readonly<Record<string, unknown>>,
) {
  const disk = mountDisk(folder, size);
  try {
    const full = await run(name, config, ...flags);
    if (full.code === 0) return undefined;
    const wrong = full.code === 2 ? [] : [`code ${full.code}`];
    const said = full.stderr.split("\n").slice(-3).join("\n").trimEnd();
    if (!diskFull.test(full.stderr)) wrong.push("message");
    wrong.push(...leftovers(existsSync(output) ? (readdirSync(output, { recursive: true }) as string[]) : []));
    disk.resize(1 << 17);
    const resume = existsSync(join(output, "run.json")) ? ["--resume"] : [];
    const { code, stderr } = await run(name, config, ...resume, ...flags);
    if (code !== 0) return { said, wrong: [...wrong, stderr] };
    return { said, wrong: [...wrong, ...differing(expected, results(output))] };
  } finally {
    disk.unmount();
  }
}

function differing(expected: Readonly<Record<string, unknown>>, actual: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(expected).filter((file) => expected[file] !== actual[file]);
}

let failures = 0;
for (const recipe of recipeCases.filter(({ name }) => chosen.length === 0 || chosen.includes(name))) {
  const { name } = recipe;
  const config = recipe.write(join(base, name), output);
  for (const flags of [[], recipe.noCheckpoints]) {
    const { expected, kilobytes } = await undisturbed(recipe, config, flags);
    const shares = [0.02, 0.1, 0.25, 0.45, 0.65, 0.85, 0.97].map((share) => Math.round(share * kilobytes));
    for (const size of sizes.length > 0 ? sizes : [4, 12, ...shares]) {
      const outcome = await filled(recipe, config, flags, size, expected);
      if (outcome && outcome.wrong.length > 0) failures++;
      const verdict = outcome && (outcome.wrong.length > 0 ? `WRONG ${outcome.wrong.join(" ")}` : "as it should");
      const said = outcome ? ` | ${outcome.said.replaceAll("\n", " ")}` : "";
      process.stdout.write(
        `${name} ${size} kB ${flags.length > 0 ? "without checkpoints" : ""}: ${verdict ?? "was enough"}${said}\n`,
      );
    }
  }
}
rmSync(base, { recursive: true });
process.exitCode = failures > 0 ? 1 : 0;
