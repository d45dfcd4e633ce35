/** A sentence, and the white space behind it. */
export interface Sentence {
  readonly text: string;
  readonly gap: string;
}

const sentenceEnd = /[.!?]["'”’)\]]*$/;

/**
 * A text as sentences: each ends with a line, or with `.`, `!` or `?` before white space. Joined they are the text;
 * white space at its beginning belongs to the first sentence.
 */
export function sentencesOf(text: string): Sentence[] {
  const pieces = text.split(/(\s+)/); // words and the white space between them, by turns
  const sentences: Sentence[] = [];
  let open = "";
  for (let i = 0; i < pieces.length; i += 2) {
    const [word, gap] = [pieces[i]!, pieces[i + 1] ?? ""];
    open += word;
    const isEnd = gap.includes("\n") || sentenceEnd.test(word) || i + 2 >= pieces.length;
    if (!isEnd || open.trim() === "") open += gap;
    else {
      sentences.push({ text: open, gap });
      open = "";
    }
  }
  const last = sentences.at(-1);
  if (last !== undefined && open !== "") sentences[sentences.length - 1] = { text: last.text, gap: last.gap + open };
  return sentences;
}
