import { describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileChatTemplate, type ChatMessage } from "../../src/text/chat-template.ts";
import { userError } from "../user-error.ts";
import { fixtures } from "./reference.ts";

/** Made by test/fixtures/text/make_jinja.py; null is an error. */
const table = JSON.parse(readFileSync(join(fixtures, "jinja.json"), "utf8")) as {
  variables: { messages: ChatMessage[]; bos_token: string; eos_token: string; pad_token: string };
  cases: [string | null, string[]][];
  refused: string[];
};

function render(template: string): string | null {
  const { messages, bos_token, eos_token, pad_token } = table.variables;
  const special = { bosToken: bos_token, eosToken: eos_token, specialTokens: { pad_token } };
  try {
    return compileChatTemplate(template)(messages, { ...special, addGenerationPrompt: true });
  } catch (error) {
    expect(error).toEqual(userError("invalid-chat-template"));
    return null;
  }
}

describe("templates write what Python's Jinja writes as transformers sets it up", () => {
  test("for every template of the table, or fail as it does", () => {
    const templates = table.cases.flatMap(([text, each]) => each.map((template) => ({ template, text })));
    expect(templates.length).toBeGreaterThan(5_000);
    expect(templates.filter(({ template, text }) => render(template) !== text)).toEqual([]);
  });

  test.each(table.refused)("or refuse %s", (template) => {
    expect(render(template)).toBeNull();
  });

  test.each([
    ["{{ true }} {{ tools is none }}", "True True"],
    ["{{ none }}[{{ messages[0].get('name') }}]", "None[None]"],
    ["{{ messages | map(attribute='role') | list }}", "['system', 'user', 'assistant', 'tool']"],
    ["{{ ['a', none, 1] }} {{ {'a': 1} }}", "['a', None, 1] {'a': 1}"],
    ["{{ 'a' ~ none ~ true }}", "aNoneTrue"],
    ["{{ '%s-%d' % ('a', 3) }}", "a-3"],
    ["{{ '{}!'.format('a') }}", "a!"],
    ["{{ 'ab' * 2 }}", "abab"],
    ["{% raw %}{{ x }}{% endraw %}", "{{ x }}"],
    ["{{ 'a\nb'.splitlines() | join('|') }}", "a|b"],
    ["{{ 'aab'.count('a') }}", "2"],
    ["{{ pad_token }}", "<pad>"],
  ])("%s", (template, text) => {
    expect(render(template)).toBe(text);
  });

  test("the date, in English", () => {
    const written = render("{{ strftime_now('%Y-%m-%d %B %b %A %a %j') }}");
    expect(written).toMatch(/^\d{4}-\d\d-\d\d [A-Z][a-z]+ [A-Z][a-z]{2} [A-Z][a-z]+day [A-Z][a-z]{2} \d{3}$/);
  });
});
