import { readdirSync } from "node:fs";
import type { RandomStream } from "../../src/system/random.ts";
import { canMount, leftovers } from "../recipes/small-disk.ts";
import type { Round } from "./rounds.ts";
import type { Ended, Start } from "./run-process.ts";
import { Broken, finishSame, lastLines, oneOf, onSmallDisk, strikeIn, type Subject } from "./subject.ts";

/** A disk that refuses once or several times, is mended, and the run continued. */
export async function fullDiskRound(subject: Subject, random: RandomStream): Promise<Round> {
  const kind = oneOf(kinds, random);
  return kind(subject, random);
}

const kinds = canMount() ? [smallDisk, smallDisk, fileLimit, refusal, refusal] : [fileLimit, refusal, refusal];

/** A real disk that grows from one try to the next. */
function smallDisk(subject: Subject, random: RandomStream): Promise<Round> {
  const { kilobytes } = subject.whole;
  const shares = Array.from({ length: 1 + random.below(3) }, () => random.next()).sort((a, b) => a - b);
  const sizes = shares.map((share) => 8 + Math.round(share * 1.1 * kilobytes));
  const story: string[] = [];
  return onSmallDisk(subject, sizes[0]!, async (disk) => {
    for (const size of sizes) {
      disk.resize(Math.max(size, Math.ceil(disk.used()) + 4));
      const ended = await subject.run({ flags: subject.resumeFlag() });
      story.push(`${size} kB ${outcome(ended)}`);
      requireTold(subject, ended, ["ENOSPC"], true);
      if (ended.code === 0) break;
    }
    disk.resize(1 << 17);
    await finishSame(subject);
    return {
      story: story.join("; "),
      counts: { "full disks": story.filter((each) => !each.endsWith("were enough")).length },
    };
  });
}

/** No file may be larger than a limit of the shell's (EFBIG). */
async function fileLimit(subject: Subject, random: RandomStream): Promise<Round> {
  const limit = 1 + random.below(80);
  const ended = await subject.run({ flags: subject.resumeFlag(), fileLimit: limit });
  requireTold(subject, ended, ["EFBIG"], true);
  await finishSame(subject);
  return {
    story: `files of at most ${limit} kB ${outcome(ended)}`,
    counts: { "full disks": Number(ended.code !== 0) },
  };
}

/** The N-th change of the file system is refused, alone or with all that follow. */
async function refusal(subject: Subject, random: RandomStream): Promise<Round> {
  const story: string[] = [];
  for (let k = 1 + random.below(2); k > 0; k--) {
    const code = oneOf(["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS"], random);
    const [lasting, operation] = [random.next() < 0.6, 1 + random.below(subject.whole.operations)];
    const strike: Start["strike"] = { code, lasting, operation };
    const ended = await subject.run({ flags: subject.resumeFlag(), strike });
    story.push(`${strikeIn(ended) ?? `${code} came too late`}${lasting ? "" : ", once"} -> ${ended.code}`);
    requireTold(subject, ended, [code], !lasting || !["EIO", "EROFS"].includes(code));
    if (ended.code === 0) break;
  }
  await finishSame(subject);
  return { story: story.join("; "), counts: { "refusals of the disk": story.length } };
}

/** Either the disk was enough, or the run has ended with one message that says why, and cleaned up if it could. */
function requireTold(
  { output }: Subject,
  { code, signal, stderr }: Ended,
  codes: readonly string[],
  clean: boolean,
): void {
  if (code === 0) return;
  const said = lastLines(stderr);
  const told = new RegExp(`cannot be written: [^\\n]* \\((?:${codes.join("|")})\\)\\n[^\\n]*$`).test(said);
  if (code !== 2 || !told)
    throw new Broken(`a disk that refuses (${codes.join(", ")}) ended the run with ${signal ?? code}: ${said}`);
  const left = clean ? leftovers(filesBelow(output)) : [];
  if (left.length > 0) throw new Broken(`a disk that refuses left ${left.join(", ")}: ${said}`);
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true }) as string[];
  } catch {
    return []; // it could not even be made
  }
}

const outcome = ({ code }: Ended): string => (code === 0 ? "were enough" : "were refused");
