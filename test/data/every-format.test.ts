import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { anyChat, anyWriting, templateCases, written } from "./random-chats.ts";
import { expectAnswers, read, sameRows } from "./trained-text.ts";

const runs = { ...sameRows, numRuns: 25 };

describe.each(templateCases)("a conversation under the template $name trains as its author marks it:", (each) => {
  test.each(["all", "last"] as const)("%s of its answers", async (trainTurns) => {
    await fc.assert(
      fc.asyncProperty(anyChat(each), anyWriting, async (chat, writing) => {
        const column = writing.form === "sharegpt" ? "conversations" : "messages";
        const row = { [column]: written(chat, writing) };
        const found = await read(row, each.tokenizer, { template: each.template, trainTurns });
        expect(found.format).toBe("messages");
        const answers = [...chat.keys()].filter((k) => chat[k]!.role === "assistant");
        expectAnswers(found, each, { chat, trains: trainTurns === "last" ? answers.slice(-1) : answers });
      }),
      runs,
    );
  });
});
