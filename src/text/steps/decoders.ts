import { bytesOf } from "./byte-level.ts";
import { patternOf, replaceMatches } from "./pattern.ts";
import { createStep, inOrder, type Create, type Options } from "./step.ts";

/** Turns tokens into pieces of text, which joined are the text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/** Every decoder that Python's `tokenizers` knows, by type. */
const decoders: ReadonlyMap<unknown, Create<Decoder, string>> = new Map<unknown, Create<Decoder, string>>([
  ["ByteLevel", () => byteLevel],
  ["ByteFallback", () => byteFallback],
  ["Fuse", () => (tokens) => [tokens.join("")]],
  ["Metaspace", metaspace],
  ["WordPiece", wordPiece],
  [
    "BPEDecoder",
    ({ suffix = "</w>" }) =>
      (tokens) =>
        tokens.map((token, i) => token.replaceAll(String(suffix), () => (i === tokens.length - 1 ? "" : " "))),
  ],
  ["CTC", ctc],
  ["Replace", replace],
  ["Strip", strip],
  [
    "Sequence",
    ({ decoders: list = [] }, where) => inOrder((list as unknown[]).map((step) => createDecoder(step, where))),
  ],
]);

/** @throws Error for a step that is not known or has other options, UserError for a pattern that is not supported */
export function createDecoder(step: unknown, where: string): Decoder {
  if (step === null || step === undefined) return (tokens) => [tokens.join(" ")];
  return createStep(step, decoders, "decoder", where);
}

const byteLevel: Decoder = (tokens) => [utf8(tokens.flatMap((token) => [...bytesOf(token)]))];
const utf8 = (bytes: readonly number[]): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));

/** Bytes that make no text show as U+FFFD, one for each. */
const byteFallback: Decoder = (tokens) => {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length === 0) return;
    try {
      pieces.push(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes)));
    } catch {
      pieces.push("\ufffd".repeat(bytes.length));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9a-fA-F]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
};

function metaspace({ replacement = "\u2581", prepend_scheme, add_prefix_space }: Options): Decoder {
  const isPrepended = (prepend_scheme ?? (add_prefix_space === false ? "never" : "always")) !== "never";
  return (tokens) => tokens.map((token, i) => token.replaceAll(String(replacement), i === 0 && isPrepended ? "" : " "));
}

function wordPiece({ prefix = "##", cleanup = true }: Options): Decoder {
  const mark = String(prefix);
  return (tokens) =>
    tokens.map((token, i) => {
      const piece = i === 0 ? token : token.startsWith(mark) ? token.slice(mark.length) : ` ${token}`;
      return cleanup === true ? withoutExtraSpaces(piece) : piece;
    });
}

const contractions = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

export function withoutExtraSpaces(text: string): string {
  return contractions.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

function ctc({ pad_token = "<pad>", word_delimiter_token = "|", cleanup = true }: Options): Decoder {
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(String(pad_token), ""))
      .map((token) =>
        cleanup === true ? withoutExtraSpaces(token).replaceAll(String(word_delimiter_token), " ") : token,
      )
      .filter((token) => token !== "");
}

function replace({ pattern, content }: Options, where: string): Decoder {
  const find = patternOf(pattern, where);
  return (tokens) => tokens.map((token) => replaceMatches(token, find, String(content)));
}

function strip({ content, start = 0, stop = 0 }: Options): Decoder {
  return (tokens) =>
    tokens.map((token) => {
      const characters = Array.from(token);
      let [from, to] = [0, characters.length];
      while (from < Number(start) && characters[from] === content) from++;
      while (characters.length - to < Number(stop) && to > 0 && characters[to - 1] === content) to--;
      return characters.slice(from, Math.max(from, to)).join("");
    });
}
