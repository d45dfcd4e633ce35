import { UserError } from "./errors.ts";

/** Throws a UserError that names the option at fault and what it accepts. */
export function refuse(option: string, value: unknown, accepted: string): never {
  throw new UserError("invalid-option", `${option} must be ${accepted}, not ${String(value)}.`);
}

export function wholeNumber(option: string, value: number, least: number): void {
  if (!(Number.isSafeInteger(value) && value >= least)) refuse(option, value, `a whole number, ${least} or more`);
}

export function oneOf(option: string, value: unknown, accepted: readonly unknown[]): void {
  if (!accepted.includes(value)) refuse(option, value, `one of ${accepted.join(", ")}`);
}

/** Makes what throws a UserError that names whose option is at fault, the option and what it must be. */
export function refusing(where: string): (option: string, value: unknown, wanted: string) => never {
  return (option, value, wanted) => {
    throw new UserError("invalid-option", `${option} is ${JSON.stringify(value)}.`, {
      where,
      fix: `It must be ${wanted}.`,
    });
  };
}
