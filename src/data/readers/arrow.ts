import { beginsLikeArrow } from "../arrow/framing.ts";
import { openArrow } from "../arrow/read.ts";
import { rowBlock } from "../row-blocks.ts";
import type { Reader } from "./reader.ts";

/** Arrow IPC, stream or file (Feather 2): see `openArrow`. */
export const arrow: Reader = {
  name: "Arrow",
  extensions: [".arrow", ".feather", ".ipc"],
  magic: beginsLikeArrow,
  async open(path) {
    const table = openArrow(path);
    return {
      files: [path],
      length: table.rows,
      columns: [...table.columns.keys()],
      rows: async (from, to, columns) => rowBlock(from, to, (index) => table.row(index, columns)),
      where: (index) => `${path}, row ${index}`,
      close: async () => table.close(),
    };
  },
};
