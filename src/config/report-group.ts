import type { TSchema } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import type { Problem } from "./problem.ts";
import { choice, group } from "./schema.ts";
import { count } from "./values.ts";

/** Ways to choose the rows that a page pictures: the first ones, or by the loss of each. */
export const rowKinds = ["first", "worst", "best", "changed"] as const;
export type RowKind = (typeof rowKinds)[number];

/** Rows that a page has room for. */
export const mostPictured = 32;

/**
 * The key `report`: what the page is, or a group that also says which rows it pictures.
 * @param pictures.kinds those of `rowKinds` that the recipe can tell
 * @param pictures.what what is pictured, in the plural; `usual` of it where the configuration does not say how many
 * @param pictures.more further keys of the group
 */
export function reportKey<const Kind extends RowKind, More extends Record<string, TSchema> = Record<never, TSchema>>({
  kinds,
  what,
  usual,
  more,
}: {
  kinds: readonly Kind[];
  what: string;
  usual: number;
  more?: More;
}) {
  const page = choice(["explorer", "static"], {
    description: "A page with a script by which rows can be weighed by other rules, or one without any.",
  });
  const rows = Type.Union(
    [
      choice(kinds, { description: "By the order in which they come, or by the loss of each." }),
      Type.Array(Type.Number({ minimum: 0 }), { minItems: 1, maxItems: mostPictured, uniqueItems: true }),
    ],
    { description: `Which ${what} are pictured: a word, or a list of numbers of rows of the data. Default: first.` },
  );
  const keys = {
    page: Type.Optional(page),
    rows: Type.Optional(rows),
    count: Type.Optional(
      count(`How many ${what} are pictured, where they are not listed. Default: ${usual}.`, { maximum: mostPictured }),
    ),
  };
  return Type.Union(
    [
      page,
      group({ ...keys, ...more } as typeof keys & More, { description: "The page, and the rows that it pictures." }),
    ],
    {
      default: "explorer",
      description: "The run's page (explorer or static), or a group that also says which rows it pictures.",
    },
  );
}

interface ReportKeys {
  page?: "explorer" | "static" | undefined;
  rows?: RowKind | number[] | undefined;
  count?: number | undefined;
  among?: number | undefined;
}

/** The keys of `report` that mean nothing beside its other ones. */
export function reportContradictions(report: string | ReportKeys): Problem[] {
  if (typeof report === "string") return [];
  const { rows = "first" } = report;
  const idle = (key: "count" | "among"): Problem[] => {
    const why = Array.isArray(rows) ? "report.rows lists the rows" : `report.rows is ${rows}`;
    return report[key] === undefined ? [] : [{ path: ["report", key], message: `is not used: ${why}`, atKey: true }];
  };
  return [
    ...(Array.isArray(rows) ? idle("count") : []),
    ...(Array.isArray(rows) || rows === "first" ? idle("among") : []),
  ];
}
