import type { NeededPackage } from "./python.ts";
import type { Flag } from "../../src/config/flags.ts";
import type { Measured } from "./compare.ts";
import type { Contender } from "./serve.ts";
import type { SideOptions } from "./side.ts";
import type { Table } from "./table.ts";

/** What a benchmark is given to measure with. */
export interface Bench {
  /** Sizes that finish in seconds and say nothing about speed. */
  readonly quick: boolean;
  /** A Python with torch, or what the benchmark needs in its place, where there is one. */
  readonly python: string | undefined;
  readonly cores: number;
  /** Prints a line about what is being done. */
  say(text: string): void;
  /** See `compare`. Rounds as on the command line. */
  compare(sides: readonly SideOptions[], requests?: readonly object[]): Promise<Measured[][]>;
}

/** One subcommand of `npm run bench`. */
export interface Benchmark {
  readonly summary: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** Rounds of each side unless told. */
  readonly rounds: number;
  /** What a Python must have to be compared with. Default: torch. */
  readonly python?: NeededPackage;
  /** Runs everything and returns the tables; sides run in processes of their own. */
  measure(flags: Readonly<Record<string, string | boolean | undefined>>, bench: Bench): Promise<Table[]>;
  /** Our side, in its own process: set up and warm. */
  contend(settings: never): Promise<Contender>;
}
