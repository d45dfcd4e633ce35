import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { displayWidth, terminalText, visibleString, visibleText } from "../../src/system/visible-text.ts";
import { anyCharacter } from "../any-character.ts";

describe("visible text", () => {
  test.each([
    [" a b", "·a·b"],
    ["\n", "↵"],
    ["a\tb\r\n", "a→b␍↵"],
    ["\x1b[31m", "⟨U+001B⟩[31m"],
    ["\u0000", "⟨U+0000⟩"],
    ["\u007f\u0085", "␡⟨U+0085⟩"],
    ["a\u202eb\u2066", "a⟨U+202E⟩b⟨U+2066⟩"],
    ["\u200b\u200d\ufeff", "⟨U+200B⟩⟨U+200D⟩⟨U+FEFF⟩"],
    ["\u2028\u3000\u00a0", "⟨U+2028⟩⟨U+3000⟩⍽"],
    ["\ud800x", "⟨U+D800⟩x"],
    ["\u{e0041}", "⟨U+E0041⟩"],
    ["\u3164", "⟨U+3164⟩"],
    ["\u0301", "◌\u0301"],
    [" \u0301", "·◌\u0301"],
    ["e\u0301", "e\u0301"],
    ["héllo 学习 😀", "héllo·学习·😀"],
    ["<b>&\"'", "<b>&\"'"],
    ["", "⟨empty⟩"],
  ])("%j is %s", (text, shown) => expect(visibleString(text)).toBe(shown));

  test("keeps signs apart from the text they stand in", () => {
    expect(visibleText(" a·")).toEqual([
      { text: "·", sign: true },
      { text: "a·", sign: false },
    ]);
  });

  test("leaves out the middle of long text, without cutting a character in two", () => {
    expect(visibleString("x".repeat(100), 10)).toBe("xxxxx⟨90 more⟩xxxxx");
    expect(visibleString("😀".repeat(50), 10)).toBe("😀😀⟨92 more⟩😀😀");
  });

  test("never contains a control, format or separator character, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        expect(visibleString(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u);
        expect(terminalText(text).replace(/[\n ]/g, "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u);
      }),
    );
  });
});

test("terminal text keeps lines and words but nothing that steers", () => {
  expect(terminalText("a b\r\nc\td\x07\x9b1m")).toBe("a b\nc  d⟨U+0007⟩⟨U+009B⟩1m");
});

test("display width counts East Asian characters twice and combining marks not at all", () => {
  expect(["abc", "学习", "e\u0301", "😀", "ｆ", "·↵⟨"].map(displayWidth)).toEqual([3, 4, 1, 2, 2, 3]);
});
