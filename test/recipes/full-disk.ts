/**
 * Runs recipes on disks that fill up at different moments, makes space and continues (Linux, as root):
 *
 *     npx tsx test/recipes/full-disk.ts [sstoken | cdpo | oreal | attention-gate ...] [kilobytes ...]
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cdpoResults, writeCdpo } from "./cdpo/small-run.ts";
import { gateResults, writeGates } from "./attention-gate/small-run.ts";
import { orealResults, writeOreal } from "./oreal/small-run.ts";
import { results, startTrainer, writeRecipe } from "./small-run.ts";

interface Recipe {
  write(folder: string, output: string): string;
  results(output: string): Record<string, string | undefined>;
  /** Without checkpoints the disk fills up while the model and the report are written. */
  noCheckpoints: string[];
}

const noCheckpoints = ["--set", "training.saveEvery=0"];
const recipes: Record<string, Recipe> = {
  sstoken: { write: (folder, output) => writeRecipe(folder, { output }), results, noCheckpoints },
  cdpo: {
    write: (folder, output) => writeCdpo(folder, { output }),
    results: cdpoResults,
    noCheckpoints: ["--set", "contrast.training.saveEvery=0", "--set", "align.training.saveEvery=0"],
  },
  oreal: {
    write: (folder, output) => writeOreal(folder, { top: { output } }),
    results: (output) =>
      Object.fromEntries(
        ["", "rloo"].flatMap((arm) =>
          Object.entries(orealResults(join(output, arm))).map(([file, content]) => [join(arm, file), content]),
        ),
      ),
    noCheckpoints,
  },
  "attention-gate": { write: (folder, output) => writeGates(folder, { output }), results: gateResults, noCheckpoints },
};

const given = process.argv.slice(2);
const chosen = given.filter((argument) => argument in recipes);
const sizes = given.filter((argument) => !(argument in recipes)).map(Number);
const base = mkdtempSync(join(tmpdir(), "tokensift-full-"));
const disk = join(base, "disk");
const output = join(disk, "out");
mkdirSync(disk);

function mount(kilobytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", disk]);
}

const run = (name: string, config: string, ...flags: string[]) => startTrainer(name, config, ...flags).ended;

/** What an undisturbed run leaves, and the kilobytes that it then takes. */
async function undisturbed(name: string, config: string, flags: string[]) {
  mount(1 << 17);
  try {
    const { code, stderr } = await run(name, config, ...flags);
    if (code !== 0) throw new Error(stderr);
    const { bsize, blocks, bfree } = statfsSync(disk);
    return { expected: recipes[name]!.results(output), kilobytes: (bsize * (blocks - bfree)) / 1024 };
  } finally {
    execFileSync("umount", [disk]);
  }
}

/** One full disk: what the run said, and what is wrong with how it ended, was left and continued. */
async function filled(name: string, config: string, flags: string[], size: number, expected: object) {
  mount(size);
  try {
    const full = await run(name, config, ...flags);
    if (full.code === 0) return undefined;
    const wrong = full.code === 2 ? [] : [`code ${full.code}`];
    const said = full.stderr.split("\n").slice(-3).join("\n").trimEnd();
    if (!/^[^\n]*cannot be written: the disk is full \(ENOSPC\)\n {2}Free some space, /.test(said))
      wrong.push("message");
    const all = existsSync(output) ? (readdirSync(output, { recursive: true }) as string[]) : [];
    wrong.push(...all.filter((file) => /(^|\/)\.|\.tmp$|\.partial$/.test(file)));
    execFileSync("mount", ["-o", "remount,size=128m", disk]);
    const resume = existsSync(join(output, "run.json")) ? ["--resume"] : [];
    const { code, stderr } = await run(name, config, ...resume, ...flags);
    if (code !== 0) return { said, wrong: [...wrong, stderr] };
    const actual = recipes[name]!.results(output);
    return { said, wrong: [...wrong, ...differing(expected as Record<string, unknown>, actual)] };
  } finally {
    execFileSync("umount", [disk]);
  }
}

function differing(expected: Readonly<Record<string, unknown>>, actual: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(expected).filter((file) => expected[file] !== actual[file]);
}

let failures = 0;
for (const name of chosen.length > 0 ? chosen : Object.keys(recipes)) {
  const config = recipes[name]!.write(join(base, name), output);
  for (const flags of [[], recipes[name]!.noCheckpoints]) {
    const { expected, kilobytes } = await undisturbed(name, config, flags);
    const shares = [0.02, 0.1, 0.25, 0.45, 0.65, 0.85, 0.97].map((share) => Math.round(share * kilobytes));
    for (const size of sizes.length > 0 ? sizes : [4, 12, ...shares]) {
      const outcome = await filled(name, config, flags, size, expected);
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
