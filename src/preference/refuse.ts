import { UserError } from "../system/errors.ts";

/** Throws a UserError that names the option at fault and what it accepts. */
export function refuse(option: string, value: unknown, accepted: string): never {
  throw new UserError("invalid-option", `${option} must be ${accepted}, not ${String(value)}.`);
}
