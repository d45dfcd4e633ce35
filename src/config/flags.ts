import { parseArgs } from "node:util";
import { UserError } from "../system/errors.ts";
import { nearest } from "./nearest.ts";

/** A command-line flag. */
export interface Flag {
  readonly type: "string" | "boolean";
  readonly description: string;
  readonly multiple?: boolean;
  readonly short?: string;
  /** What its value is called in the help: `FILE`. */
  readonly value?: string;
}

/** The value of each flag that was given. */
export type FlagValues<F extends Readonly<Record<string, Flag>>> = {
  -readonly [K in keyof F]?: F[K]["type"] extends "boolean"
    ? boolean
    : F[K]["multiple"] extends true
      ? string[]
      : string;
};

/**
 * Splits a command line into flags and the rest.
 * @throws UserError for an unknown flag (with the nearest known one), a missing value, or a flag given twice
 */
export function parseFlags<const F extends Readonly<Record<string, Flag>>>(argv: readonly string[], flags: F) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple = false, short }]) => [
      name,
      { type, multiple, ...(short === undefined ? {} : { short }) },
    ]),
  );
  const { values, positionals, tokens } = parsed(argv, options, flags);
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (seen.has(token.name) && flags[token.name]?.multiple !== true)
      throw new UserError("repeated-option", `--${token.name} is given twice`, { fix: "Keep one of them." });
    seen.add(token.name);
  }
  return { values: { ...values } as FlagValues<F>, positionals };
}

function parsed(
  argv: readonly string[],
  options: NonNullable<Parameters<typeof parseArgs>[0]>["options"] & object,
  flags: Readonly<Record<string, Flag>>,
) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, tokens: true });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined || !code.startsWith("ERR_PARSE_ARGS")) throw error;
    const flag = /'(-{1,2}[^'\s,<]+)/.exec(message)?.[1] ?? "";
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION")
      throw new UserError("invalid-option", valueProblem(flag, flags, message), { cause: error });
    const near = nearest(flag.replace(/^-+/, ""), Object.keys(flags));
    const fix = near === undefined ? "--help lists the flags there are." : `Did you mean --${near}?`;
    throw new UserError("unknown-option", `there is no flag ${flag}`, { fix, cause: error });
  }
}

function valueProblem(flag: string, flags: Readonly<Record<string, Flag>>, message: string): string {
  const name = flag.replace(/^-+/, "");
  const known = flags[name] ?? Object.values(flags).find(({ short }) => short === name);
  if (known === undefined) return message.split("\n", 1)[0]!;
  if (known.type === "boolean") return `${flag} takes no value`;
  return `${flag} needs a value: ${flag}=${known.value ?? "VALUE"} (with "=" if the value begins with a dash)`;
}

/** The flags as lines of a help text. */
export function flagsHelp(flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(([name, { short, value, type, multiple, description }]) => {
    const left = `${short === undefined ? "    " : `-${short}, `}--${name}${type === "string" ? ` ${value ?? "VALUE"}` : ""}`;
    return [left, multiple === true ? `${description} May be repeated.` : description] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, description]) => `  ${left.padEnd(width)}  ${description}`).join("\n");
}
