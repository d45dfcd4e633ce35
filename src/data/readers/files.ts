import { arrow } from "./arrow.ts";
import { csv } from "./csv.ts";
import { jsonLines } from "./json-lines.ts";
import { parquet } from "./parquet.ts";
import type { Reader } from "./reader.ts";

/** What reads single files, in the order in which help and messages name it. */
export const fileReaders: readonly Reader[] = [arrow, parquet, jsonLines, csv];
