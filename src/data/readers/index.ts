import { arrow } from "./arrow.ts";
import { csv } from "./csv.ts";
import { jsonLines } from "./json-lines.ts";
import { parquet } from "./parquet.ts";
import type { Reader } from "./reader.ts";
import { savedFolder } from "./saved-folder.ts";

/** Everything that is read, in the order in which help and messages name it. */
export const readers: readonly Reader[] = [arrow, parquet, jsonLines, csv, savedFolder];
