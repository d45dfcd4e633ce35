/**
 * Runs `trainers/sstoken.ts` on disks that fill up at different moments, makes space and continues (Linux, as root):
 *
 *     npx tsx test/trainers/full-disk.ts [kilobytes ...]
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { results, runRecipe, writeRecipe } from "./recipe.ts";

const given = process.argv.slice(2);
const sizes = given.length > 0 ? given.map(Number) : [8, 12, 20, 60, 180, 360, 640, 760, 1000];
const base = mkdtempSync(join(tmpdir(), "tokensift-full-"));
const disk = join(base, "disk");
const output = join(disk, "out");
mkdirSync(disk);

/** Without checkpoints the disk fills up while the model and the report are written. */
const variants = [[], ["--set", "training.saveEvery=0"]];
let failures = 0;
for (const flags of variants) {
  const whole = writeRecipe(join(base, `whole-${flags.length}`));
  await runRecipe(whole, ...flags);
  const expected = results(join(base, `whole-${flags.length}/out`));
  for (const size of sizes) {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}k`, "tmpfs", disk]);
    try {
      const config = writeRecipe(join(base, "config"), { output });
      const full = await runRecipe(config, ...flags);
      const said = full.stderr.split("\n").slice(-3, -2).join("");
      const all = existsSync(output) ? (readdirSync(output, { recursive: true }) as string[]) : [];
      const leftovers = all.filter((name) => /(^|\/)\.|\.tmp$|\.partial$/.test(name));
      execFileSync("mount", ["-o", "remount,size=64m", disk]);
      const { code } = await runRecipe(config, "--resume", ...flags);
      const actual = results(output);
      const differing = Object.keys(expected).filter((file) => expected[file] !== actual[file]);
      const good = full.code === 2 && code === 0 && leftovers.length === 0 && differing.length === 0;
      if (!good && full.code !== 0) failures++;
      const outcome = full.code === 0 ? "was enough" : good ? "as it should" : `WRONG (${full.code}, ${code})`;
      process.stdout.write(
        `${size} kB ${flags.join(" ")}: ${outcome} ${[...leftovers, ...differing].join(" ")} | ${said}\n`,
      );
    } finally {
      execFileSync("umount", [disk]);
    }
  }
}
rmSync(base, { recursive: true });
process.exitCode = failures > 0 ? 1 : 0;
