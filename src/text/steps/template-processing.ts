/** The step that puts tokens before and behind a text. */
export function templateProcessing(before: string | undefined, after: string | undefined): object {
  const special = (token: string | undefined, type_id: number): object[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const around = (id: "A" | "B", type_id: number): object[] => [
    ...special(before, type_id),
    { Sequence: { id, type_id } },
    ...special(after, type_id),
  ];
  return { type: "TemplateProcessing", single: around("A", 0), pair: [...around("A", 0), ...around("B", 1)] };
}
