import { parseBoundedJson } from "../../system/bounded-json.ts";
import { UserError } from "../../system/errors.ts";
import { show } from "../fields.ts";
import { openFile } from "./file.ts";

const largestJson = 64 * 2 ** 20; // bytes

/** @throws UserError if there is no such file, or it is too large or not JSON */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readJsonBytes(path), path);
}

/** @throws UserError if there is no such file, or it is too large */
export async function readJsonBytes(path: string): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    if (file.size > largestJson)
      throw new UserError("too-large", `${file.size} bytes of JSON are too many`, { where: path });
    const bytes = new Uint8Array(file.size);
    await file.read(0, bytes);
    return bytes;
  } finally {
    await file.close();
  }
}

/** @throws UserError if this is not JSON, or gives a key twice */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return parseBoundedJson(new TextDecoder().decode(bytes), { uniqueKeys: true });
  } catch (error) {
    throw new UserError("invalid-json", `not valid JSON (${show((error as Error).message)})`, { where });
  }
}
