import { afterAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import { loadTokenizer, tokenizePromptResponse, type TokenizedRow } from "../../src/text/index.ts";
import { templateProcessing } from "../../src/text/steps/template-processing.ts";
import { fixtures, folders, readBpe, root } from "./reference.ts";

const temporary = folders();
afterAll(temporary.remove);
const bpe = loadTokenizer(join(fixtures, "bpe"));
const tiny = loadTokenizer(join(root, "models/tiny"));

function row(result: TokenizedRow | { skipped: string }): TokenizedRow {
  if ("skipped" in result) throw new Error(`skipped: ${result.skipped}`);
  return result;
}

describe("a prompt and its response", () => {
  test("are joined, with the end token behind the response", () => {
    const { ids, response, endOfTurn, truncated } = row(tokenizePromptResponse(bpe, "How many?", " 12 books"));
    const [prompt, answer] = [bpe.encode("How many?"), bpe.encode(" 12 books")];
    expect([...ids]).toEqual([...prompt, ...answer, 2]);
    expect([...response]).toEqual([...prompt.map(() => 0), ...answer.map(() => 1), 1]);
    expect(endOfTurn.indexOf(1)).toBe(ids.length - 1);
    expect(truncated).toBe(false);
  });

  test("are encoded apart where they would share a token", () => {
    expect(bpe.encode(" books")).toHaveLength(1);
    const { ids, response } = row(tokenizePromptResponse(bpe, "x boo", "ks"));
    const prompt = bpe.encode("x boo");
    expect([...ids]).toEqual([...prompt, ...bpe.encode("ks"), 2]);
    expect(response.indexOf(1)).toBe(prompt.length);
  });

  test("are encoded apart where one unknown token would stand for both: the response is not lost in the prompt", () => {
    const unknown = tiny.unknownId!;
    expect(tiny.encode("xyzzyfoo")).toEqual([unknown]);
    for (const answer of ["foo", "2"]) {
      const { ids, response } = row(tokenizePromptResponse(tiny, "xyzzy", answer));
      expect([...ids]).toEqual([unknown, ...tiny.encode(answer), tiny.endOfText![0]]);
      expect([...response]).toEqual([0, 1, 1]);
    }
    // apart only there: of words that stand apart, each has its own token in any case
    expect([...row(tokenizePromptResponse(tiny, "xyzzy", " foo")).ids]).toHaveLength(3);
  });

  test("do not get a second end token", () => {
    const { ids, endOfTurn } = row(tokenizePromptResponse(bpe, "a", " b<|im_end|>"));
    expect([...ids]).toEqual([...bpe.encode("a b"), 2]);
    expect([...endOfTurn]).toEqual([...bpe.encode("a b").map(() => 0), 1]);
  });

  test("get the beginning token where the tokenizer adds one, and one end token where it adds that too", () => {
    const post_processor = templateProcessing("<|im_start|>", "<|im_end|>");
    const json = JSON.stringify({ ...readBpe(), post_processor });
    const tokenizer = loadTokenizer(temporary.with({ ...bpe.files, "tokenizer.json": json }));
    const { ids, response } = row(tokenizePromptResponse(tokenizer, "a", " b"));
    expect([...ids]).toEqual([1, ...bpe.encode("a b"), 2]);
    expect(response.indexOf(1)).toBe(1 + bpe.encode("a").length);
  });

  test("have no end of turn where the tokenizer has no end token", () => {
    const tokenizer = loadTokenizer(temporary.with({ "tokenizer.json": bpe.files["tokenizer.json"]! }));
    expect(tokenizer.endOfText).toBeUndefined();
    const { ids, endOfTurn } = row(tokenizePromptResponse(tokenizer, "a", " b"));
    expect([...ids]).toEqual(bpe.encode("a b"));
    expect(endOfTurn.includes(1)).toBe(false);
  });

  test("are cut at their end", () => {
    const cut = row(tokenizePromptResponse(tiny, "Ada has", "2 books", { maxTokens: 3 }));
    expect([...cut.ids]).toEqual(tiny.encode("Ada has 2"));
    expect([[...cut.response], [...cut.endOfTurn], cut.truncated]).toEqual([[0, 0, 1], [0, 0, 0], true]);
    expect(tokenizePromptResponse(tiny, "Ada has", "2", { maxTokens: 2 })).toEqual({
      skipped: "the response lies beyond the limit of tokens",
    });
  });

  test("need a response, but no prompt", () => {
    expect(tokenizePromptResponse(bpe, "a", "")).toEqual({ skipped: "no response" });
    expect(row(tokenizePromptResponse(bpe, "", "a")).response.every((mark) => mark === 1)).toBe(true);
  });
});
