import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { comparisonArm, createFrom, entryNamed, namesOf, optionsSchema } from "../../src/config/catalogue.ts";
import { catalogueTable } from "../../src/config/catalogue-table.ts";
import { explain } from "../../src/config/explain-entry.ts";
import type { Catalogue, Entry } from "../../src/contract/index.ts";
import { evictionScores } from "../../src/eviction/catalogue.ts";
import { preferenceForms } from "../../src/preference/index.ts";
import { rewards } from "../../src/reward/catalogue.ts";
import { rules } from "../../src/selection/index.ts";
import { userError } from "../user-error.ts";

const catalogues: Catalogue<unknown>[] = [rules, preferenceForms, evictionScores, rewards];
const complete = new Ajv({ strict: true, useDefaults: true });

describe.each(catalogues)("$title", (catalogue) => {
  const names = namesOf(catalogue);

  test("have names of their own, in kebab case", () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  test("know no other names", () => {
    expect(() => entryNamed(catalogue, "constructor")).toThrow(
      userError("unknown-method", `no ${catalogue.kind} "constructor"`),
    );
  });

  test("can each be the arm of any other, given by name alone", () => {
    for (const method of names)
      for (const other of names) {
        const arm = comparisonArm(catalogue, { method }, other);
        expect(arm.method).toBe(other);
        expect(createFrom(catalogue, arm)).toBeDefined();
      }
  });

  test("fill a table, a row each with its paper", () => {
    const [head, rule, ...rows] = catalogueTable(catalogue, [["formula", ({ formula }) => formula]])
      .trimEnd()
      .split("\n");
    expect(head).toMatch(new RegExp(`^\\| ${catalogue.kind} +\\| what it does +\\| formula +\\| paper +\\|$`));
    expect(rule).toMatch(/^(\| -+ ){4}\|$/);
    expect(rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1])).toEqual(names);
    for (const [i, { paper }] of catalogue.entries.entries()) if (paper) expect(rows[i]).toContain(`](${paper})`);
  });
});

/** What was made, in comparable form: its numbers and texts. */
const shown = (made: unknown): string => JSON.stringify(made);

describe.each(catalogues.flatMap((catalogue) => catalogue.entries.map((entry) => ({ catalogue, entry, ...entry }))))(
  "$name",
  ({ catalogue, entry, name }: { catalogue: Catalogue<unknown>; entry: Entry<unknown>; name: string }) => {
    test("is described with every option and its default", () => {
      const { summary, formula, options } = explain(entry);
      expect(summary).toMatch(/\.$/);
      expect(formula).not.toBe("");
      expect([...new Set(options.map((option) => option.name.split(".")[0]))]).toEqual(Object.keys(entry.options));
      for (const { description } of options) expect(description).toMatch(/\.$/);
    });

    test("has the defaults that its options state", () => {
      const choice = { method: name };
      expect(complete.compile(optionsSchema(entry))(choice)).toBe(true);
      expect(shown(createFrom(catalogue, choice))).toBe(shown(createFrom(catalogue, { method: name })));
    });

    test("keeps a preset when its defaults are filled in", () => {
      for (const preset of Object.keys(entry.presets ?? {})) {
        const choice = { method: name, preset };
        complete.compile(optionsSchema(entry))(choice);
        expect(shown(createFrom(catalogue, choice))).toBe(shown(createFrom(catalogue, { method: name, preset })));
      }
    });

    test("refuses options it does not have, and a preset it does not have", () => {
      expect(() => createFrom(catalogue, { method: name, nothing: 1 })).toThrow(
        userError("invalid-option", '"nothing"'),
      );
      expect(() => createFrom(catalogue, { method: name, preset: "best" })).toThrow(
        userError("invalid-option", "preset"),
      );
    });

    test("takes from a main arm options that it has", () => {
      for (const option of entry.takes ?? []) expect(Object.keys(entry.options)).toContain(option);
      if (entry.variantOf === undefined) return;
      const base = entryNamed(catalogue, entry.variantOf);
      expect(Object.keys(entry.options)).toEqual(expect.arrayContaining(Object.keys(base.options)));
      const main = { method: name };
      complete.compile(optionsSchema(entry))(main); // with its own options, too
      const taken = Object.keys(main).filter((key) => ["method", "preset"].includes(key) || key in base.options);
      const arm = Object.keys(comparisonArm(catalogue, main, base.name));
      expect(new Set(arm)).toEqual(new Set([...taken, ...(base.takes ?? [])]));
      expect(() => createFrom(catalogue, comparisonArm(catalogue, main, base.name))).not.toThrow();
    });
  },
);
