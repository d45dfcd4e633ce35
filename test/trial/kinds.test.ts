import { describe, expect, test } from "@jest/globals";
import { stream } from "../../src/system/random.ts";
import { kindsNamed, plantingKinds } from "../../src/trial/kinds/catalogue.ts";
import type { Planted } from "../../src/trial/kinds/kind.ts";
import { sentencesOf } from "../../src/trial/kinds/sentences.ts";
import { userError } from "../user-error.ts";

const response = "Ada has 12 books. She buys 5 more!\nNow 12 + 5 = 17.\n#### 17";
const sentences = ["Ada has 12 books.", "She buys 5 more!", "Now 12 + 5 = 17.", "#### 17"];

/** Plants one kind at every place. */
function plant(name: string, share = 1, text = response, seed = 1): Planted | undefined {
  const [kind] = kindsNamed(name);
  return kind!.plant(text, { random: stream(seed, "test"), share, foreign: () => "Foreign words." });
}

const wrongTexts = ({ text, places }: Planted) => places.map(({ start, end }) => text.slice(start, end));

describe("sentences", () => {
  test("end with a line, or with a full stop before white space", () => {
    expect(sentencesOf(response).map(({ text }) => text)).toEqual(sentences);
    expect(sentencesOf("3.5 of it. 4 x 2 = 8 apples . end").map(({ text }) => text)).toEqual([
      "3.5 of it.",
      "4 x 2 = 8 apples .",
      "end",
    ]);
  });

  test.each(["  a.  b \n\n c ", "", " \n", "one", response])("joined are the text: %j", (text) => {
    const joined = sentencesOf(text).reduce((all, sentence) => all + sentence.text + sentence.gap, "");
    expect(joined).toBe(text.trim() === "" ? "" : text);
  });
});

describe("numbers", () => {
  test("become others of as many digits, none of them as it was, wherever they stand", () => {
    const planted = plant("numbers")!;
    const found = planted.text.match(/\d+/g)!;
    const before = response.match(/\d+/g)!; // 12 5 12 5 17 17
    expect(wrongTexts(planted)).toEqual(found);
    expect([found[2], found[3], found[5]]).toEqual([found[0], found[1], found[4]]);
    found.forEach((number, i) => {
      expect(number).toHaveLength(before[i]!.length);
      expect(number[0]).not.toBe("0");
      for (const [place, digit] of [...number].entries()) expect(digit).not.toBe(before[i]![place]);
    });
    expect(planted.text.replaceAll(/\d/g, "_")).toBe(response.replaceAll(/\d/g, "_"));
  });
});

describe("swapped", () => {
  test("gives neighbours each other's place, and leaves the white space", () => {
    const planted = plant("swapped")!;
    expect(planted.text).toBe("She buys 5 more! Ada has 12 books.\n#### 17\nNow 12 + 5 = 17.");
    expect(wrongTexts(planted)).toEqual([sentences[1], sentences[0], sentences[3], sentences[2]]);
  });
});

describe("foreign", () => {
  test("puts another row's sentence in the place of one", () => {
    const planted = plant("foreign", 1, "First. Second.")!;
    expect(planted.text).toBe("Foreign words. Foreign words.");
    expect(wrongTexts(planted)).toEqual(["Foreign words.", "Foreign words."]);
  });

  test("is no error where the sentence is the same", () => {
    expect(plant("foreign", 1, "Foreign words.")).toBeUndefined();
  });
});

describe("repeated", () => {
  test("says a sentence twice, and the second time is wrong", () => {
    const planted = plant("repeated", 1, "First. Second.\nThird")!;
    expect(planted.text).toBe("First. First. Second.\nSecond.\nThird Third");
    expect(wrongTexts(planted)).toEqual(["First.", "Second.", "Third"]);
  });
});

describe("cut", () => {
  test("stops after between a quarter and three quarters of the words, and the end is wrong", () => {
    const text = "a b c d e f g h";
    for (let seed = 0; seed < 20; seed++) {
      const planted = plant("cut", 1, text, seed)!;
      expect(text.startsWith(planted.text)).toBe(true);
      expect([2, 3, 4, 5]).toContain(planted.text.split(" ").length); // 8 words: 2 to 5.99, rounded down
      expect(planted).toMatchObject({ places: [], endsEarly: true });
    }
  });
});

describe("every kind", () => {
  test.each(plantingKinds.map(({ name }) => name))("%s plants the same with the same stream", (name) => {
    expect(plant(name, 0.5)).toEqual(plant(name, 0.5));
  });

  test.each(plantingKinds.map(({ name }) => name))("%s plants nothing into text without a place", (name) => {
    expect(plant(name, 1, "")).toBeUndefined();
  });
});

describe("kindsNamed", () => {
  test("takes each kind of a list once", () => {
    expect(kindsNamed("cut, numbers,cut").map(({ name }) => name)).toEqual(["cut", "numbers"]);
  });

  test("refuses an unknown kind with the nearest name", () => {
    expect(() => kindsNamed("numbers,swaped")).toThrow(userError("invalid-option", "swapped"));
    expect(() => kindsNamed(",")).toThrow(userError("invalid-option", "numbers"));
  });
});
