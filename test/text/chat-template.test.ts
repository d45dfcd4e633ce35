import { describe, expect, test } from "@jest/globals";
import { mostSteps } from "../../src/text/jinja/budget.ts";
import { compileChatTemplate } from "../../src/text/chat-template.ts";
import { userError } from "../user-error.ts";

const messages = [
  { role: "user", content: "hello ".repeat(2_000) },
  { role: "assistant", content: "hi" },
];
const render = (template: string, addGenerationPrompt = false, limit?: number): string =>
  compileChatTemplate(template, limit)(messages, { bosToken: "<s>", addGenerationPrompt });

/** Processor time that this process has used since `began`. */
function processorSeconds(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

describe("a chat template", () => {
  test("sees messages, special tokens and whether an answer is wanted", () => {
    const template =
      "{{ bos_token }}{{ eos_token }}|{{ messages[1].content }}|{{ add_generation_prompt }}|{{ tools is none }}";
    expect(render(template, true)).toBe("<s>|hi|True|True");
  });

  test("drops line breaks and indentation of blocks, as Python's transformers do", () => {
    const template =
      "{% for m in messages %}\n    {% if m.role == 'assistant' %}\n{{ m.content }}\n    {% endif %}\n{% endfor %}\nend";
    expect(render(template)).toBe("hi\nend");
  });

  test.each(["\r\n", "\r"])("saved with other line ends (%j) writes the same, as with Jinja", (end) => {
    const template = "{% for m in messages[1:] %}\n  {{ m.role }}{{ '\n' }}\n{% endfor %}\nend\n";
    expect(render(template)).toBe("  assistant\n\nend");
    expect(render(template.replaceAll("\n", end))).toBe("  assistant\n\nend");
  });

  test("may use namespaces, macros, ranges, filters and the date", () => {
    const template =
      "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(n=0) %}{% for i in range(1, 9, 2) %}" +
      "{% set ns.n = ns.n + i %}{% endfor %}{{ twice(ns.n) }}{{ [1, 2] | tojson }}{{ strftime_now('%Y') | length }}";
    expect(render(template)).toBe("1616[1, 2]4");
  });

  test("runs over long conversations", () => {
    const many = Array.from({ length: 2_000 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: "x ".repeat(500),
    }));
    const template =
      "{% for m in messages %}{% if loop.index0 > 0 and messages[loop.index0 - 1].role == m.role %}!{% endif %}{{ m.role + m.content | trim }}{% endfor %}";
    expect(compileChatTemplate(template)(many, { addGenerationPrompt: false }).length).toBe(2_000 * 999 + 1_000 * 13);
  });

  test("cannot reach JavaScript", () => {
    expect(
      render("{{ messages.constructor }}{{ ''.constructor }}{{ range.constructor }}{{ messages[0].__proto__ }}"),
    ).toBe("");
    expect(() => render("{{ range.constructor('return process')() }}")).toThrow(userError("invalid-chat-template"));
  });

  test.each([
    ["{{ raise_exception('only users here') }}", "only users here"],
    ["{% for %}", "chat template"],
    ["{{ nothing() }}", "chat template"],
    ["{{ messages | magic }}", "magic"],
    ["{{ 'abc", "chat template"],
  ])("that fails is an error with its message: %s", (template, reason) => {
    expect(() => render(template)).toThrow(userError("invalid-chat-template", reason));
  });
});

describe("a template that was made to hang or to fill the memory is stopped", () => {
  const names = (count: number): string => Array.from({ length: count }, (_, i) => `a${i.toString(36)}`).join(", ");
  const doubling = (step: string): string =>
    `{% set ns = namespace(s='x', l=[1]) %}{% for i in range(100) %}${step}{% endfor %}{{ ns.s }}{{ ns.l | tojson }}`;
  const big = "{% set ns = namespace(s='x ') %}{% for i in range(20) %}{% set ns.s = ns.s + ns.s %}{% endfor %}";

  test.each([
    ["nested loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
    [
      "nested loops over one list",
      "{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
    ],
    [
      "nested loops with a condition",
      "{% set r = range(99999) %}{% for a in r %}{% for b in r if b %}{% endfor %}{% endfor %}",
    ],
    ["a huge range", "{{ range(1000000000) }}"],
    ["a huge range downwards", "{{ range(0, -1000000000, -1) }}"],
    ["a range without step", "{{ range(0, 5, 0) }}"],
    ["a text doubled", doubling("{% set ns.s = ns.s + ns.s %}")],
    ["a text doubled by ~", doubling("{% set ns.s = ns.s ~ ns.s %}")],
    ["a list doubled", doubling("{% set ns.l = ns.l + ns.l %}")],
    ["a list that holds itself twice, again and again", doubling("{% set ns.l = [ns.l, ns.l] %}")],
    ["the same through a macro", doubling("{% macro f() %}{% set ns.l = varargs %}{% endmacro %}{{ f(ns.l, ns.l) }}")],
    ["a namespace in itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns | tojson }}"],
    [
      "namespaces in each other",
      "{% set a = namespace() %}{% for i in range(60) %}{% set a = namespace(x=a, y=a) %}{% endfor %}{{ a | tojson }}",
    ],
    ["endless output", `{% for a in range(99999) %}${"x".repeat(1_000)}{% endfor %}`],
    [
      "calls that double",
      "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    ],
    [
      "endless recursion",
      "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}{{ f(g) }}",
    ],
    ["unknown names", "{% for a in range(9999) %}{% for b in range(9999) %}{{ u }}{% endfor %}{% endfor %}"],
    ["a wide indent", "{{ 'a\\nb' | indent(500000000) }}"],
    ["a wide indent in JSON", "{{ messages | tojson(indent=500000000) }}"],
    ["replacing everything", "{{ messages[0].content | replace('', messages[0].content) }}"],
    ["searching a long text", `${big}{% for i in range(99999) %}{{ 'xy' in ns.s }}{% endfor %}`],
    ["slicing a long text", `${big}{% for i in range(99999) %}{% set q = ns.s[::2] %}{% endfor %}`],
    [
      "defining a long macro",
      `{% for i in range(99999) %}{% macro f() %}${"{{ x }}".repeat(20_000)}{% endmacro %}{% endfor %}`,
    ],
    [
      "calling a long macro that lists its arguments at its end",
      `{% macro f() %}{% if false %}${"{{ x }}".repeat(20_000)}{{ varargs }}{% endif %}{% endmacro %}{% for i in range(99999) %}{{ f(1) }}{% endfor %}`,
    ],
    [
      "defining a macro with many parameters",
      `{% for i in range(99999) %}{% macro f(${names(30_000)}) %}{% endmacro %}{% endfor %}`,
    ],
    [
      "calling a macro with many parameters",
      `{% macro f(${names(30_000)}) %}{% endmacro %}{% for i in range(99999) %}{{ f() }}{% endfor %}`,
    ],
    [
      "titles of a text without words",
      "{% set s = '(' * 3000000 %}{% for i in range(99) %}{{ s | title }}{% endfor %}",
    ],
    [
      "dates without end",
      "{% set s = '%B' * 400000 %}{% for i in range(99) %}{% set t = strftime_now(s) %}{% endfor %}",
    ],
    ["a search that begins again at each place", "{% set s = 'a' * 4000000 %}{{ s.rfind('b' + 'a' * 1000000) }}"],
    ["a format whose parts grow", "{{ '%(a)s' * 20000 % {'a': 'a' * 1000000} }}"],
    ["a format whose name does not end", "{{ '%(' * 1000000 % {'a': 1} }}"],
    ["separators that grow", "{{ ([{'a': 1}] * 1000) | tojson(separators=(',', 'a' * 4000000)) }}"],
    ["batches that grow", "{{ range(99999) | batch(7, 0) | map('batch', 99999, 0) | list }}"],
    ["deep parentheses", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`],
    ["a long template", "x".repeat(300_000)],
    ["a long gap", `a${" ".repeat(100_000)}b`],
  ])("%s", (_, template) => {
    const began = process.cpuUsage();
    expect(() => render(template, false, mostSteps / 10)).toThrow(userError("invalid-chat-template"));
    // would take hours; all of its steps take ten times as long
    expect(processorSeconds(began)).toBeLessThan(3);
  });

  test("after all of its steps, which are few enough", () => {
    const began = process.cpuUsage();
    expect(() => render("{% for i in range(99999) %}{% set x = unknown %}{{ x }}{% endfor %}")).toThrow(
      userError("invalid-chat-template", "too many steps"),
    );
    expect(processorSeconds(began)).toBeLessThan(30);
  });
});
