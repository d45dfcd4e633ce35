import { createHash, randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { birthOf, lifeOf } from "./process-identity.ts";

const digest = (text: string, length: number): string =>
  createHash("sha256").update(text).digest("hex").slice(0, length);

/** A part of a file's name that says which process writes it, other than every one that this process has asked for. */
export function ownMark(): string {
  const { pid } = process;
  return `${digest(hostname(), 8)}.${pid}-${digest(birthOf(pid), 4)}${randomBytes(2).toString("hex")}`;
}

const marked = /([0-9a-f]{8})\.(\d+)-([0-9a-f]{4})[0-9a-f]{4}\.tmp$/;

/**
 * Whether a temporary file's name says that a process of this machine wrote it, which has ended: never where that is not
 * known, as of a process on another machine.
 */
export function isOwnerGone(name: string): boolean {
  const [, host, number, birth] = marked.exec(name) ?? [];
  if (host !== digest(hostname(), 8)) return false;
  const pid = Number(number);
  const began = birthOf(pid);
  return lifeOf({ host: hostname(), pid, birth: began }) === "ended" || (began !== "" && digest(began, 4) !== birth);
}
