import { describe, expect, test } from "@jest/globals";
import { parseHTML } from "linkedom";
import { colorLevel, cubeIndex, ramps, rampStep } from "../../src/report/colors.ts";
import { contrast, luminance } from "./contrast.ts";
import { tokenPicture } from "../../src/report/token-picture.ts";
import { tokenLegendHtml, tokenPictureHtml } from "../../src/report/token-picture-html.ts";
import { tokenLegendText, tokenPictureText } from "../../src/report/token-picture-terminal.ts";
import { tokenRow } from "./run-fixture.ts";

const plain = tokenRow();

describe("the model of a picture", () => {
  test("tells prompt, kept and dropped, and ranks scores within the response", () => {
    const picture = tokenPicture(plain);
    expect(picture.tokens.map((token) => token.state)).toEqual(["prompt", "kept", "kept", "dropped", "kept"]);
    expect(picture.tokens.map((token) => token.place)).toEqual([undefined, 1 / 3, 1, 0, 2 / 3]);
    expect(picture.tokens.map((token) => token.noise)).toEqual([false, false, false, true, false]);
    expect(picture).toMatchObject({ response: 4, kept: 3, noise: { tokens: 1, dropped: 1 }, before: 0, after: 0 });
    expect(picture.tokens[3]!.title).toBe("token 3, dropped; REL 0.125 (rank 4 of 4); weight 0; labelled noise");
    expect(picture.tokens[0]!.title).toBe("");
  });

  test("gives equal scores one place, and one outlier does not pale the others", () => {
    const row = { ...plain, score: [null, 1, 1, 1e9, -3] };
    expect(tokenPicture(row).tokens.map((token) => token.place)).toEqual([undefined, 0.5, 0.5, 1, 0]);
    const same = { ...plain, score: [null, 2, 2, 2, 2] };
    expect(
      tokenPicture(same)
        .tokens.slice(1)
        .map((token) => token.place),
    ).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test("has no place for scores that are missing or not finite", () => {
    const row = { ...plain, score: [5, NaN, null, Infinity, 1] };
    expect(tokenPicture(row).tokens.map((token) => token.place)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      0.5,
    ]);
    expect(tokenPicture(row).tokens[1]!.title).toBe("token 1, kept; REL none; weight 1");
  });

  test("goes by the weights where there are no scores and weights differ", () => {
    const row = { ...plain, score: plain.score.map(() => null), weights: [0, 0.2, 0.9, 0, 0.5] };
    expect(tokenPicture(row).tokens.map((token) => token.place)).toEqual([undefined, 0, 1, undefined, 0.5]);
    const equal = { ...row, weights: [0, 1, 1, 0, 1] };
    expect(tokenPicture(equal).tokens.every((token) => token.place === undefined)).toBe(true);
  });

  test("leaves out the start of a long prompt and the end of a long response, but counts the whole", () => {
    const n = 1000;
    const row = {
      ...{ rowId: 1, scoreName: "s", pieces: Array.from({ length: n }, (_, i) => ` ${i}`) },
      response: Array.from({ length: n }, (_, i) => Number(i >= 400)),
      ...{ weights: new Array<number>(n).fill(1), score: new Array<null>(n).fill(null) },
    };
    const picture = tokenPicture(row, { mostTokens: 300, mostPrompt: 100 });
    expect(picture).toMatchObject({ before: 300, after: 400, response: 600, kept: 600, noise: undefined });
    expect(picture.tokens.length).toBe(300);
    expect(tokenPictureHtml(picture).markup).toContain("… 300 tokens before");
    expect(tokenPictureText(picture, { colors: "none" })).toContain("… 400 tokens after");
  });
});

describe("a picture in HTML", () => {
  const parsed = (picture: Parameters<typeof tokenPictureHtml>[0]) =>
    parseHTML(`<html><body>${tokenPictureHtml(picture).markup}</body></html>`).document;

  test("marks dropped tokens and noise by elements, not by colour alone", () => {
    const spans = [...parsed(tokenPicture(plain)).querySelectorAll(".tokens > span")];
    expect(spans.map((span) => span.className)).toEqual(["p", "s s3", "s s9", "s s0 d", "s s6"]);
    expect(spans.map((span) => span.querySelector("s") !== null)).toEqual([false, false, false, true, false]);
    expect(spans.map((span) => span.querySelector("u") !== null)).toEqual([false, false, false, true, false]);
    expect(spans.map((span) => span.textContent)).toEqual(["Q", "·six", "·x", "·31", "·."]);
    expect(spans[1]!.getAttribute("title")).toBe("token 1, kept; REL 0.25 (rank 3 of 4); weight 1");
  });

  test("cannot be broken out of by any text in pieces or names", () => {
    const evil = `</s></span><script>alert(1)</script>"' onmouseover="x`;
    const row = { ...plain, pieces: plain.pieces.map(() => evil), scoreName: evil };
    const page = parsed(tokenPicture(row));
    expect(page.querySelector("script")).toBeNull();
    expect([...page.querySelectorAll("*")].every((element) => !element.hasAttribute("onmouseover"))).toBe(true);
    expect(page.querySelectorAll(".tokens > span").length).toBe(5);
    expect(tokenLegendHtml(evil, { scores: true, noise: true }).markup).not.toContain("<script");
  });

  test("begins a new line where a token ends one", () => {
    const row = { ...plain, pieces: ["Q", "a\n", "b", "c", "d"] };
    expect(tokenPictureHtml(tokenPicture(row)).markup).toMatch(/<i>↵<\/i>\s*<\/span\s*>\s*<b><\/b>/);
  });

  test("explains only the marks that occur", () => {
    expect(tokenLegendHtml("REL", { scores: true, noise: true }).markup).toMatch(/labelled noise[\s\S]*REL: low/);
    expect(tokenLegendHtml("REL", { scores: false, noise: false }).markup).not.toMatch(/noise|REL/);
  });
});

describe("colours", () => {
  test.each(["light", "dark"] as const)("of the %s ramp go one way in lightness and keep text readable", (mode) => {
    const { shades, text } = ramps[mode];
    const lightness = shades.map(luminance);
    const steps = lightness.slice(1).map((value, i) => value - lightness[i]!);
    expect(steps.every((step) => (mode === "light" ? step < 0 : step > 0))).toBe(true);
    for (const shade of shades) expect(contrast(text, shade)).toBeGreaterThanOrEqual(4.5);
  });

  test("have the contrast that the definition states", () => {
    expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 6);
    expect(contrast([119, 119, 119], [255, 255, 255])).toBeCloseTo(4.48, 2); // #777 on white, the known near miss
  });

  test("have ten steps, the last at 1", () => {
    expect([-1, 0, 0.099, 0.1, 0.95, 1].map(rampStep)).toEqual([0, 0, 0, 1, 9, 9]);
  });

  test("have their nearest entry in 256 colours", () => {
    expect([
      cubeIndex([0, 0, 0]),
      cubeIndex([255, 255, 255]),
      cubeIndex([255, 0, 0]),
      cubeIndex([95, 135, 175]),
    ]).toEqual([16, 231, 196, 67]);
  });

  test.each([
    [{ isTTY: true, getColorDepth: () => 24 }, {}, "truecolor"],
    [{ isTTY: true, getColorDepth: () => 8 }, {}, "256"],
    [{ isTTY: true, getColorDepth: () => 8 }, { COLORTERM: "truecolor" }, "truecolor"],
    [{ isTTY: true, getColorDepth: () => 4 }, {}, "none"],
    [{ isTTY: true, getColorDepth: () => 24 }, { NO_COLOR: "1" }, "none"],
    [{ isTTY: true, getColorDepth: () => 24 }, { TERM: "dumb" }, "none"],
    [{ isTTY: false, getColorDepth: () => 24 }, {}, "none"],
    [{}, {}, "none"],
  ])("of stream %# are as its terminal and NO_COLOR say", (stream, env, level) => {
    expect(colorLevel(stream, env)).toBe(level);
  });
});

describe("a picture in a terminal", () => {
  test("has the same marks without colours", () => {
    expect(tokenPictureText(tokenPicture(plain), { colors: "none" })).toBe(
      "row 12: 3 of 4 response tokens kept (75 %); 1 of 1 noise tokens dropped\n‹Q› ·six ·x [·31~] ·.\n",
    );
    expect(tokenLegendText("REL", "none")).toBe("‹prompt›  kept  [dropped]  noise~\n");
  });

  test("puts the score's shade behind the text, as exact or as nearest colour", () => {
    const [r, g, b] = ramps.light.shades[9]!;
    const exact = tokenPictureText(tokenPicture(plain), { colors: "truecolor" });
    expect(exact).toContain(`\x1b[38;2;20;22;26;48;2;${r};${g};${b}m·x\x1b[39;49m`);
    expect(exact).toMatch(/;9;4m\[·31~\]\x1b\[39;49;29;24m/);
    const nearest = tokenPictureText(tokenPicture(plain), { colors: "256" });
    expect(nearest).toContain(`48;5;${cubeIndex([r, g, b])}m·x`);
    expect(nearest).not.toContain("48;2;");
  });

  test("breaks lines between tokens at the width, and after a token that ends a line", () => {
    const row = { ...plain, pieces: ["Q", "six", "eight\n", "wide", "x"] };
    expect(tokenPictureText(tokenPicture(row), { colors: "none", width: 11 }).split("\n").slice(1)).toEqual([
      "‹Q› six",
      "eight↵",
      "[wide~] x",
      "",
    ]);
  });

  test("writes no escape sequence that comes from the data", () => {
    const row = { ...plain, pieces: plain.pieces.map(() => "\x1b]0;owned\x07\x1b[2J\u202e") };
    const text = tokenPictureText(tokenPicture(row), { colors: "none" });
    expect(text).toMatch(/^[^\x00-\x09\x0b-\x1f\u202e]*$/);
  });
});
