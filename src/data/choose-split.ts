import { UserError } from "../system/errors.ts";

/**
 * Which split of a folder is read: the wanted one, or where none is, the only one or `train`.
 *
 * @throws UserError that names the splits, where it is none of them
 */
export function chooseSplit(names: readonly string[], wanted: string | undefined, where: string): string {
  const split = wanted ?? (names.length === 1 ? names[0]! : "train");
  if (names.includes(split)) return split;
  const what = wanted === undefined ? "the folder has several splits" : `there is no split "${split}"`;
  throw new UserError("unknown-split", what, { where, fix: `Choose one of: ${names.join(", ")}.` });
}
