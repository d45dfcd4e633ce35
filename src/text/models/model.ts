/** Cuts what the pre-tokenizer left into tokens; undefined stands for text that has none. */
export type EncodeWord = (word: string) => readonly (number | undefined)[];

const encoder = new TextEncoder();

/** Ids of the tokens `<0xXX>` of a text's bytes, undefined unless the vocabulary has all of them. */
export function byteIds(text: string, ids: ReadonlyMap<string, number>): number[] | undefined {
  const found: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    found.push(id);
  }
  return found;
}
