/**
 * A language model as judge (https://arxiv.org/abs/2306.05685, single answer grading): what grade it gives the response.
 *
 *     r(y) = (grade - lowest) / (highest - lowest), in [0, 1]
 *
 * The judge is asked by a function, so that this file knows no server.
 */
import type { Entry, JsonSchema } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { placeOf } from "../reward-sum.ts";
import type { Reward, RewardedResponse } from "../reward.ts";
import { weightOption } from "./options.ts";

export interface JudgeOptions {
  /** What the judge is told: {question}, {response} and {reference} are put in. */
  readonly prompt?: string;
  /** Lowest and highest grade. Default: [0, 10]. */
  readonly scale?: readonly number[];
  /** What becomes of a reply without a grade: it counts as the lowest (default), or the training stops. */
  readonly unclear?: "lowest" | "stop";
  /** Where the judge is, for whoever makes `ask`. */
  readonly server?: object;
}

/** How a judge is asked. */
export interface JudgeAsking {
  /** The judge's reply to a prompt. */
  readonly ask: (prompt: string) => Promise<string>;
  /** Is told once of a reply without a grade. */
  readonly note?: (sentence: string) => void;
}

const usualPrompt = `Grade the answer to a question from {lowest} (wrong or useless) to {highest} (right and clear).

Question:
{question}

Reference answer:
{reference}

Answer to be graded:
{response}

Reply with one line: Grade: N`;

/**
 * The reward of a judge's grade.
 *
 * @throws UserError for an impossible scale or prompt; when it scores, for a reply without a grade under `unclear: stop`
 * @see https://arxiv.org/abs/2306.05685
 */
export function judgeReward(options: JudgeOptions = {}, asking?: JudgeAsking): Reward {
  const { prompt = usualPrompt, scale = [0, 10], unclear = "lowest" } = options;
  const [lowest, highest] = scale as readonly [number, number];
  if (!(scale.length === 2 && lowest < highest))
    throw new UserError("invalid-option", "must be a lower and a higher grade, such as [0, 10]", { where: "scale" });
  if (!prompt.includes("{response}"))
    throw new UserError("invalid-option", "does not show the response to the judge", {
      where: "prompt",
      fix: "Write {response} where it is to stand; {question} and {reference} are put in, too.",
    });
  let told = false;
  const scoreOf = async (response: RewardedResponse): Promise<number> => {
    if (asking === undefined)
      throw new UserError("missing-option", "nobody is there who asks the judge", {
        where: "judge",
        fix: "Name it among the rewards of a run, which asks its server.",
      });
    const reply = await asking.ask(filledIn(prompt, { ...response, lowest, highest }));
    const grade = gradeIn(reply, lowest, highest);
    if (grade !== undefined) return (grade - lowest) / (highest - lowest);
    const said = `The judge's reply ${JSON.stringify(reply.slice(-200))} has no grade from ${lowest} to ${highest}`;
    if (unclear === "stop")
      throw new UserError("reward-failed", `${said}.`, {
        where: placeOf(response),
        fix: 'Ask it to end with a line "Grade: N", or let such replies count as the lowest grade (unclear: lowest).',
      });
    if (!told) asking.note?.(`${said} (row ${response.rowId}). It counts as the lowest, as will others like it.`);
    told = true;
    return 0;
  };
  return {
    name: "judge",
    async score(group) {
      const scored = await Promise.allSettled(group.map(scoreOf)); // none is under way any more when one has failed
      return scored.map((one) => {
        if (one.status === "rejected") throw one.reason;
        return one.value;
      });
    },
  };
}

/** Puts texts in for {names}; what they hold themselves is left as it is. */
function filledIn(
  prompt: string,
  { question, text, reference, lowest, highest }: RewardedResponse & { lowest: number; highest: number },
): string {
  const known: Readonly<Record<string, string | number>> = { question, response: text, reference, lowest, highest };
  return prompt.replace(/\{(\w+)\}/g, (whole, name: string) => String(known[name] ?? whole));
}

/** `Grade: 7`, `**Rating:** [[7]]`, `Score (0-10): 7`; no range, such as `Grade: 7-8`. */
const afterItsName =
  /(?:grade|rating|score)(?:\s?\([^()]{0,20}\))?[\s*_:=["'`]{0,8}(-?\d{1,9}(?:\.\d{1,9})?)(?!\.?\d|\s?[-–]\s?\d)/gi;

/** The grade of a reply: the last after the word "grade" or "rating", or the number that it is as a whole. */
function gradeIn(reply: string, lowest: number, highest: number): number | undefined {
  const marked = [...reply.matchAll(afterItsName)].at(-1)?.[1];
  const alone = /^\W*?(-?\d{1,9}(?:\.\d{1,9})?)(?:\s*\/\s*\d{1,9})?\W*$/.exec(reply.slice(-100))?.[1];
  const grade = Number(marked ?? alone ?? NaN);
  return grade >= lowest && grade <= highest ? grade : undefined;
}

const server: JsonSchema = {
  type: "object",
  properties: {
    url: { type: "string", minLength: 1, description: "Its address: http://127.0.0.1:8000." },
    model: { type: "string", minLength: 1, description: "The name under which it has the model." },
    maxNewTokens: { type: "integer", minimum: 1, maximum: 100_000, default: 256, description: "Tokens of a reply." },
    timeout: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 86_400,
      default: 600,
      description: "Seconds that a reply may take.",
    },
    retryPause: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 600,
      default: 0.5,
      description: "Seconds before a failed request is sent again; twice as many before each of four further tries.",
    },
    keyVariable: {
      type: "string",
      pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
      description: "The environment variable that holds its key; without it none is sent.",
    },
  },
  required: ["url", "model"],
  additionalProperties: false,
  description: "A server with OpenAI's chat interface that has the judge.",
};

export const judgeEntry = {
  name: "judge",
  summary: "The grade that a language model gives the response.",
  formula: "r(y) = (grade - lowest) / (highest - lowest)",
  paper: "https://arxiv.org/abs/2306.05685",
  options: {
    weight: weightOption,
    server,
    prompt: {
      type: "string",
      minLength: 1,
      description:
        "What the judge is told: {question}, {response}, {reference}, {lowest} and {highest} are put in; without it, " +
        "all of them and the request for a line with the grade.",
    },
    scale: {
      type: "array",
      items: { type: "number" },
      minItems: 2,
      maxItems: 2,
      default: [0, 10],
      description: "The lowest and the highest grade.",
    },
    unclear: {
      type: "string",
      enum: ["lowest", "stop"],
      default: "lowest",
      description:
        "What a reply without a grade counts as: the lowest grade, or it stops the training, to be continued.",
    },
  },
  notes: [
    "The grade is the last number after the word grade, rating or score in the reply, or the reply itself where it is a number.",
    "The judge is asked at temperature 0. Each reply is in a file under `judge/` before it is used: what was judged once, in this " +
      "or an earlier process, is not asked again.",
    "A policy learns what the judge likes, not what is right: keep the verifier beside it where there is one.",
  ],
  create: judgeReward,
} as const satisfies Entry<Reward, JudgeOptions>;
