import { UserError } from "../system/errors.ts";

/** Where a server is, and what it is told to be let in. */
export interface ServerAddress {
  /** Ends with a slash; paths are relative to it. */
  readonly base: string;
  /** Sent as a bearer token. */
  readonly key: string | undefined;
}

/**
 * A checked address. `http://host:8000` and `http://host:8000/v1` are the same server.
 * @param where the option that holds it
 * @param keyVariable the environment variable that holds the key; nothing is sent without one
 * @throws UserError for what is no address of a server, and where the variable is not set
 */
export function serverAddress(url: string, where: string, keyVariable?: string): ServerAddress {
  const base = baseOf(url);
  if (base === undefined)
    throw new UserError("invalid-option", `${JSON.stringify(url)} is no address of a server`, {
      where,
      fix: "Give one as http://127.0.0.1:8000, without a name, password or question mark in it.",
    });
  return { base, key: keyVariable === undefined ? undefined : keyOf(keyVariable, where) };
}

/** Undefined for what is no address of a server. */
export function baseOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const base = new URL(url);
  const plain = base.username === "" && base.password === "" && base.search === "" && base.hash === "";
  if (!plain || (base.protocol !== "http:" && base.protocol !== "https:")) return undefined;
  base.pathname = `${base.pathname.replace(/\/+$/, "").replace(/\/v1$/, "")}/`;
  return base.href;
}

function keyOf(variable: string, where: string): string {
  const key = process.env[variable]?.trim() ?? "";
  const fix = `Set it to the server's key: export ${variable}=...`;
  if (key === "")
    throw new UserError("missing-option", `the environment variable ${variable} is not set`, { where, fix });
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new UserError("invalid-option", `the environment variable ${variable} holds no key`, { where, fix });
  return key;
}
