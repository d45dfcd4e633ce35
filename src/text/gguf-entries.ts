/** What the header of a GGUF file says of a tokenizer, by key; whole numbers are ids. */
export type VocabularyEntries = Readonly<
  Record<string, string | boolean | number | readonly string[] | Int32Array | Float32Array>
>;

/** Throws the error for what GGUF files have no name for. */
export type Refuse = (what: string) => never;
