import { type Static, Type } from "@sinclair/typebox";
import { choice, existingPath, group, largestInteger, outputPath } from "../config/schema.ts";
import { onOff } from "../config/values.ts";
import { recipes } from "../recipes/list.ts";

/** What a row of an axis may be called: it is part of folders' names. */
export const cellName = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/** Keys of a recipe's configuration, dotted or not, with a value each. */
const settings = (description: string) =>
  Type.Unsafe<Record<string, unknown>>({ type: "object", additionalProperties: true, description });

/** What an axis says beside the keys that it varies. */
const axis = Type.Object(
  {
    set: Type.Optional(
      Type.Array(settings("Keys of one cell."), { description: "Cells that differ in several keys, each a group." }),
    ),
    cross: Type.Optional(
      Type.Union([Type.Boolean(), settings("Keys with a list of values each.")], {
        description: "true: every combination of the axis's values; or further keys, each of whose values meets all.",
      }),
    ),
    names: Type.Optional(
      Type.Array(Type.String({ pattern: cellName }), {
        uniqueItems: true,
        description: "Names of the cells, in their order. Default: made of their values.",
      }),
    ),
    against: Type.Optional(
      Type.Union(
        [
          Type.String({ minLength: 1 }),
          Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true }),
          settings("A key and its value."),
        ],
        {
          description:
            "What the others are compared with: the name of a cell, @ROW for another row of the same run's results (@h2o), " +
            "a list of these, or a key's value (each cell then with the one that has it and is else the same). Default: the " +
            "cell that is the base, or the first.",
        },
      ),
    ),
    evaluateOnly: Type.Optional(
      Type.Boolean({ description: "Only keys of the evaluation change: nothing is trained again." }),
    ),
  },
  {
    additionalProperties: true,
    description: "One thing that varies: keys of the configuration, a list of values each.",
  },
);

export type AxisConfig = Static<typeof axis> & Readonly<Record<string, unknown>>;

const expectation = group(
  {
    cell: Type.String({ pattern: "^[^/]+/[^/]+$", description: "AXIS/NAME of the cell that should win." }),
    over: Type.String({ pattern: "^[^/]+/[^/]+$", description: "AXIS/NAME of the cell that it is compared with." }),
    metric: Type.String({ minLength: 1, description: "One of the grid's metrics." }),
    verdict: choice(["better", "worse", "no difference shown"], {
      default: "better",
      description: "What should be found.",
    }),
    paper: Type.Optional(Type.String({ description: "The claim, as the paper has it." })),
    deviations: Type.Optional(Type.String({ description: "What differs from the paper's setting." })),
  },
  { description: "A claim that the grid tests." },
);

const command = group(
  {
    run: Type.Array(Type.String(), {
      minItems: 1,
      description: "Program and arguments; `tokensift` is this one. {before} is the folder of such files.",
    }),
    makes: Type.String({
      pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$",
      description: "The file that it leaves in {before}.",
    }),
  },
  { description: "A command that runs once, before the first cell." },
);

/** A grid: a base configuration, what varies of it, and what is compared. */
export const gridSchema = Type.Object(
  {
    recipe: choice(
      recipes.map(({ name }) => name),
      { description: "The trainer that runs every cell." },
    ),
    base: existingPath("The configuration that every cell varies, a file."),
    set: Type.Optional(settings("Keys changed in every cell.")),
    seeds: Type.Array(Type.Integer({ minimum: 0, maximum: largestInteger }), {
      minItems: 1,
      uniqueItems: true,
      default: [42, 1, 2, 3, 4],
      description: "Every cell is run with each.",
    }),
    metrics: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      uniqueItems: true,
      description:
        "Columns of results.json (exactMatch; accuracy@h2o for the row h2o), noise.recall, noise.precision, train.KEY and " +
        "last.KEY: the mean over steps, or the last, of a key of metrics.jsonl. The first is plotted first.",
    }),
    axes: Type.Unsafe<Record<string, AxisConfig>>({
      type: "object",
      additionalProperties: axis,
      description: "By name, what varies.",
    }),
    controls: Type.Array(settings("Keys of one cell, and its name."), {
      default: [],
      description: "Cells added to every axis.",
    }),
    expect: Type.Array(expectation, { default: [], description: "What should be found: it decides the exit code." }),
    tune: onOff("Settings are chosen by this grid: what it evaluates on cannot test a claim any more.", false),
    before: Type.Array(command, { default: [], description: "Commands that make files which cells read." }),
    shareStages: Type.Array(Type.String(), {
      default: [],
      description: "Stages whose results cells of one seed share, of a recipe that works in stages.",
    }),
    output: Type.Optional(outputPath("Where cells and tables go. Default: runs/reproduce/RECIPE-NAME.")),
  },
  { additionalProperties: false, title: "tokensift grid" },
);

type Parsed = Static<typeof gridSchema>;
export type Expectation = Parsed["expect"][number];

/** A checked grid file. */
export interface GridConfig extends Omit<Parsed, "output"> {
  output: string;
}

/** What an axis may say beside keys of the configuration. */
export const axisWords: readonly string[] = Object.keys(axis.properties);
