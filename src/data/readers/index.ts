import { fileReaders } from "./files.ts";
import { hubFolder } from "./hub-folder.ts";
import type { Reader } from "./reader.ts";
import { savedFolder } from "./saved-folder.ts";

/** Everything that is read, in the order in which help and messages name it. */
export const readers: readonly Reader[] = [...fileReaders, savedFolder, hubFolder];
