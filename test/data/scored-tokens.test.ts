import { describe, expect, test } from "@jest/globals";
import { openDataset, type DatasetOptions } from "../../src/data/index.ts";
import { userError } from "../user-error.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();

async function opened(row: object, options: DatasetOptions = {}) {
  const dataset = await openDataset(folder.write("data.jsonl", `${JSON.stringify(row)}\n`), options);
  try {
    return { format: dataset.format, row: await dataset.row(0) };
  } finally {
    await dataset.close();
  }
}

describe("the columns ids and response, as tokensift score writes them,", () => {
  test.each(["auto", "tokens"] as const)(
    "are tokens with their mask (format %s); other lists come along",
    async (format) => {
      const found = await opened({ ids: [1, 2, 3], response: [0, 1, 1], weights: [0, 1, 0.5], rowId: 7 }, { format });
      expect(found).toEqual({
        format: "tokens",
        row: {
          rowId: 0,
          tokens: { ids: Int32Array.of(1, 2, 3), response: Uint8Array.of(0, 1, 1) },
          columns: { weights: Float32Array.of(0, 1, 0.5) },
        },
      });
    },
  );

  test("do not hide a prompt with a response in text", async () => {
    expect(await opened({ ids: "a7", prompt: "2+2=", response: "4" })).toMatchObject({
      format: "prompt-response",
      row: { prompt: "2+2=", response: "4" },
    });
  });

  test("give way to input_ids", async () => {
    const found = await opened({ ids: [9], response: [1], input_ids: [1, 2], response_mask: [0, 1] });
    expect(found.row).toMatchObject({ tokens: { ids: Int32Array.of(1, 2) } });
  });

  test("are refused in words if they are text", async () => {
    await expect(opened({ ids: "a7", response: "4" })).rejects.toThrow(userError("invalid-row", '"ids"'));
  });
});
