import { Type, type TSchema } from "@sinclair/typebox";
import { choice, existingPath, group } from "./schema.ts";
import { amount, count } from "./values.ts";

const column = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

/** What a row may hold. */
export const formatNames = [
  ...["auto", "messages", "prompt-response", "question-answer", "instruction", "preference", "verifiable"],
  ...["tokens", "text"],
] as const;
/** Columns by the part that they play in a row. */
export const columnNames = {
  messages: column("Column of the chat's messages."),
  prompt: column("Column of the prompt, joined with the response as plain text."),
  response: column("Column of the response to a prompt."),
  question: column("Column of the question, put through the chat template."),
  answer: column("Column of the answer to a question; beside a prompt, the reference for exact match."),
  instruction: column("Column of the instruction."),
  input: column("Column of what the instruction is about."),
  output: column("Column of the output that the instruction asks for."),
  system: column("Column of a system message, put before the conversation."),
  history: column("Column of earlier turns: pairs of what was asked and answered, or messages."),
  context: column("Column of what a question is about, put below it."),
  body: column("Column of the sentences that stand before a question."),
  tools: column("Column of descriptions of tools, for the chat template."),
  documents: column("Column of documents, for the chat template."),
  chosen: column("Column of the better answer of a pair, which trains."),
  rejected: column("Column of the worse answer of a pair."),
  rewardModel: column("Column with the answer to check against, as verl writes it (ground_truth)."),
  weights: column("Column with what each token counts, multiplied with what the rule gives it."),
  spans: column("Column with spans of the response and what each counts: { start, end, weight } in characters."),
  text: column("Column of plain text, all of which is trained."),
  ids: column("Column of token ids, for rows that are tokenized already."),
  labels: column("Column of labels, -100 where a token is not trained."),
  responseMask: column("Column of marks, 1 where a token is trained; other numbers are weights."),
  completionMask: column("Column of more such marks; all of them count."),
  lossMask: column("Column of more such marks; all of them count."),
  assistantMask: column("Column of more such marks; all of them count."),
  endOfTurn: column("Column of marks, 1 where a token ends a response. Default: the tokens that end generation."),
  attentionMask: column("Column of marks, 0 where a token is padding."),
  positionIds: column("Column of positions; where they begin again, another text begins."),
  textLengths: column("Column of the lengths of the texts that are packed into a row of tokens."),
  textEnds: column("Column of where these texts end: 0, the first length, the sum of two, …"),
  textNumbers: column("Column of numbers, one a token; where they change, another text begins."),
  label: column("Column of true and false beside a prompt and a response; where it is false the row is left out."),
};

/** A data set of a list, with what holds for it alone. */
const dataItem = {
  path: existingPath("A file, folder or pattern."),
  limit: Type.Optional(count("Its first so many rows only.")),
  split: column("Its split. Default: the data group's."),
  format: Type.Optional(choice(formatNames, { description: "What a row of it holds. Default: the data group's." })),
  fields: Type.Optional(
    group(columnNames, { description: "Columns of it that have other names than usual. Default: the data group's." }),
  ),
};
export const validationItem = group(dataItem, { description: "A data set with settings of its own." });
export const trainingItem = group(
  {
    ...dataItem,
    weight: Type.Optional(
      amount(
        "How often its rows are drawn, in relation to the other data sets of the list. Default 1 if another has a weight.",
      ),
    ),
  },
  { description: "A data set with settings of its own." },
);
/** Where rows are: a path, a data set with settings of its own, or a list of both. */
export const files = <T extends TSchema>(item: T, description: string) =>
  Type.Union(
    [
      existingPath("One file or folder."),
      Type.Array(Type.Union([existingPath("A file or folder."), item]), { minItems: 1 }),
      item,
    ],
    { description },
  );
