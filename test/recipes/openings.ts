import { statSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/** Counts how often a file is opened in this process by what reads weights, which asks each file it opens for its size. */
export async function countOpenings(path: string): Promise<{ end(): number }> {
  const { ino } = statSync(path);
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, "stat">;
  await handle.close();
  const { stat } = prototype;
  let count = 0;
  prototype.stat = async function (this: FileHandle, ...options: unknown[]) {
    const found = (await Reflect.apply(stat, this, options)) as Awaited<ReturnType<FileHandle["stat"]>>;
    if (found.ino === ino) count++;
    return found;
  } as FileHandle["stat"];
  return {
    end() {
      prototype.stat = stat;
      return count;
    },
  };
}
