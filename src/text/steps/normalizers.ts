import { toBytesAsText } from "./byte-level.ts";
import { growing } from "./growth.ts";
import type { Normalizer } from "./normalizer.ts";
import { patternOf, replaceMatches, whiteSpace } from "./pattern.ts";
import { precompiled } from "./precompiled.ts";
import { createStep, inOrder, type Create, type Options } from "./step.ts";

const each =
  (change: (character: string) => string): Normalizer =>
  (text) => {
    let changed = "";
    for (const character of text) changed += change(character);
    return changed;
  };

/** Without regard to what stands around a character, as Rust lowers it. */
const lowercase = each((character) => character.toLowerCase());
const withoutMarks: Normalizer = (text) => text.replace(/\p{M}/gu, "");

/** Every normalizer that Python's `tokenizers` knows, by type. */
const normalizers: ReadonlyMap<unknown, Create<Normalizer, string>> = new Map<unknown, Create<Normalizer, string>>([
  ["NFC", () => (text) => text.normalize("NFC")],
  ["NFD", () => (text) => text.normalize("NFD")],
  ["NFKC", () => (text) => text.normalize("NFKC")],
  ["NFKD", () => (text) => text.normalize("NFKD")],
  ["Lowercase", () => lowercase],
  ["StripAccents", () => withoutMarks],
  ["Strip", strip],
  [
    "Prepend",
    ({ prepend }) =>
      (text) => {
        if (text === "") return "";
        growing(String(prepend).length + text.length);
        return String(prepend) + text;
      },
  ],
  ["Replace", replace],
  ["ByteLevel", () => toBytesAsText],
  ["Nmt", () => nmt],
  ["Precompiled", ({ precompiled_charsmap }) => precompiled(precompiled_charsmap)],
  ["BertNormalizer", bert],
  [
    "Sequence",
    ({ normalizers: list = [] }, where) =>
      inOrder((list as unknown[]).map((step) => counted(createNormalizer(step, where)))),
  ],
]);

/** @throws Error for a step that is not known or has other options, UserError for a pattern that is not supported */
export function createNormalizer(step: unknown, where: string): Normalizer {
  if (step === null || step === undefined) return (text) => text;
  return createStep(step, normalizers, "normalizer", where);
}

function counted(step: Normalizer): Normalizer {
  return (text) => {
    const changed = step(text);
    growing(changed.length);
    return changed;
  };
}

function strip({ strip_left, strip_right }: Options): Normalizer {
  const left = new RegExp(`^${whiteSpace}+`, "u");
  const right = new RegExp(`(?<!${whiteSpace})${whiteSpace}+$`, "u");
  return (text) => {
    const rest = strip_left === true ? text.replace(left, "") : text;
    return strip_right === true ? rest.replace(right, "") : rest;
  };
}

function replace({ pattern, content }: Options, where: string): Normalizer {
  const find = patternOf(pattern, where);
  return (text) => replaceMatches(text, find, String(content));
}

const dropped = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
const spaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;
const nmt: Normalizer = (text) => text.replace(dropped, "").replace(spaces, " ");

const control = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const anySpace = new RegExp(whiteSpace, "gu");
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bert({
  clean_text = true,
  handle_chinese_chars = true,
  strip_accents,
  lowercase: lower = true,
}: Options): Normalizer {
  const stripsAccents =
    strip_accents === true || ((strip_accents === null || strip_accents === undefined) && lower === true);
  return (text) => {
    let normal = text;
    if (clean_text === true) normal = normal.replace(control, "").replace(anySpace, " ");
    if (handle_chinese_chars === true) normal = normal.replace(chinese, " $& ");
    if (stripsAccents) normal = normal.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower === true ? lowercase(normal) : normal;
  };
}
