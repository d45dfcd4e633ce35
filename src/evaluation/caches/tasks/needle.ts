import { UserError } from "../../../system/errors.ts";
import { stream } from "../../../system/random.ts";
import type { Tokenizer } from "../../../text/index.ts";
import type { CacheProblem } from "../problem.ts";
import { continuedTokens, type TextRow } from "./tokens.ts";

/** A number to be found again in a long text. */
export interface NeedleProblem extends CacheProblem {
  readonly seed: number;
  /** Where the number stands, as a share of the text's paragraphs. */
  readonly depth: number;
}

export interface NeedleOptions {
  readonly count: number;
  readonly seed: number;
  /** Tokens of the text without the question, at most. */
  readonly tokens: number;
  /** The question is read behind the choice of entries. Default false. */
  readonly blind?: boolean;
}

/** Where needles stand, one after the other. */
export const depths = [0, 0.25, 0.5, 0.75, 1] as const;

const cities =
  "Amsterdam Athens Berlin Bogota Cairo Dublin Geneva Hanoi Havana Helsinki Istanbul Jakarta Kyoto Lagos Lima Lisbon London Madrid Manila Melbourne Mexico Milan Montreal Moscow Mumbai Nairobi Oslo Paris Prague Quito Rome Seoul Stockholm Sydney Tehran Tokyo Toronto Vienna Warsaw Zurich".split(
    " ",
  );

/**
 * Paragraphs of the rows, in an order of their own for each problem, with one more among them: "The secret number of CITY
 * is 1234." The question is "The secret number of CITY is", the reference the number.
 * @throws UserError for rows that are too few, or a tokenizer that cannot write the number
 */
export function needleProblems(
  tokenizer: Tokenizer,
  rows: readonly TextRow[],
  { count, seed, tokens, blind = false }: NeedleOptions,
): NeedleProblem[] {
  const lengths = rows.map(({ text }) => tokenizer.encode(`${text}\n\n`).length);
  return Array.from({ length: count }, (_, row) => {
    const random = stream(seed, "needle", row);
    const city = cities[random.below(cities.length)]!;
    const number = String(1000 + random.below(9000));
    const question = `The secret number of ${city} is`;
    const needle = `${question} ${number}.`;
    let room = tokens - tokenizer.encode(`${needle}\n\n`).length;
    const paragraphs: string[] = [];
    for (const left = [...rows.keys()]; left.length > 0;) {
      const [index] = left.splice(random.below(left.length), 1);
      room -= lengths[index!]!;
      if (room < 0) break;
      paragraphs.push(rows[index!]!.text);
    }
    if (paragraphs.length < 2)
      throw new UserError("no-usable-rows", `${tokens} tokens hold fewer than two paragraphs of the data`, {
        fix: "Allow longer texts, or give data of shorter rows.",
      });
    if (room >= 0)
      throw new UserError("no-usable-rows", `all ${rows.length} rows of the data are fewer than ${tokens} tokens`, {
        fix: "Ask for shorter texts, or give more data.",
      });
    const depth = depths[row % depths.length]!;
    paragraphs.splice(Math.round(depth * paragraphs.length), 0, needle);
    const text = paragraphs.join("\n\n");
    const asked = continuedTokens(tokenizer, text, `\n\n${question}`);
    const whole = [...asked.before, ...asked.after];
    const reference = answerOf(tokenizer, `${text}\n\n${question}`, number);
    const problem = { row: seed * 100_003 + row, seed, depth, reference };
    return blind ? { ...problem, context: asked.before, question: asked.after } : { ...problem, context: whole };
  });
}

function answerOf(tokenizer: Tokenizer, before: string, number: string): number[] {
  const { after } = continuedTokens(tokenizer, before, ` ${number}`);
  if (tokenizer.decode(after, { skipSpecialTokens: true }).trim() === number) return after;
  throw new UserError("tokenizer-mismatch", `the model's tokenizer cannot write the number ${number}`, {
    fix: "Measure this model on text or on a task.",
  });
}
