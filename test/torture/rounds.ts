import type { RandomStream } from "../../src/system/random.ts";
import { bitFlipRound } from "./bit-flips.ts";
import { fullDiskRound } from "./full-disk.ts";
import { killRound } from "./kill.ts";
import type { Program } from "./run-process.ts";
import { streamsRound } from "./streams.ts";
import type { Subject } from "./subject.ts";

/** A round that went as promised. */
export interface Round {
  /** What was done. */
  readonly story: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** What a run may meet, by the name for `--faults`. Each throws `Broken` where a promise is not kept. */
export const faults = {
  kill: killRound,
  "full-disk": fullDiskRound,
  streams: streamsRound,
  "bit-flips": bitFlipRound,
} as const satisfies Record<string, (subject: Subject, random: RandomStream, program: Program) => Promise<Round>>;

export type Fault = keyof typeof faults;
