import { UserError } from "../system/errors.ts";

/** Does something with the path that a flag gives; what is said of the path names the flag. */
export async function withFlag<T>(flag: string, path: string, work: (path: string) => T | Promise<T>): Promise<T> {
  try {
    return await work(path);
  } catch (error) {
    if (!(error instanceof UserError) || !error.message.startsWith(path)) throw error;
    throw new UserError(error.code, `--${flag} ${error.message}`, { cause: error.cause });
  }
}
