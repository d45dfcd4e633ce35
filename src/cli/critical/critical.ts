import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../../data/atomic.ts";
import { adapterFiles } from "../../model/adapters/peft.ts";
import type { Model } from "../../model/model.ts";
import { resultText } from "../../recipes/kit/results.ts";
import { createProgress, type Progress } from "../../report/progress.ts";
import { writing } from "../../system/disk-error.ts";
import { digestOfFile } from "../../system/file-digest.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { watchInterruption } from "../../system/interruption.ts";
import type { TextStream } from "../../system/streams.ts";
import { terminalText } from "../../system/visible-text.ts";
import { engineText } from "../../tensor/engine.ts";
import { verifier } from "../../text/index.ts";
import { defineCommand } from "../command.ts";
import { dataFlag, readingFlags } from "../data-flags.ts";
import { engineFlags, withEngine } from "../engine.ts";
import { adapterFlag, openModel } from "../open-model.ts";
import { answersOf, type ReadingValues } from "./answers.ts";
import { findingsOf, type Findings } from "./findings.ts";
import { criticalPage } from "./page.ts";
import { files, openRecords, requireFolder } from "./records.ts";
import { criticalRequest, type CriticalRequest } from "./request.ts";
import { agreementTable, answersJson, recoveryTable, sentences, writeAnswers } from "./results.ts";
import { searchAnswers } from "./search.ts";
import { openContrast, scoreTokens } from "./token-scores.ts";
import { chooseWrong } from "./wrong-answers.ts";

const { format, field, split, "chat-template": template } = readingFlags;

/** `tokensift critical`. */
export const critical = defineCommand({
  usage: "critical --model DIR|FILE.gguf --data FILE --out DIR [--answers sampled|data|FILE.arrow] [flags]",
  summary: "Finds the tokens that made wrong answers wrong, by continuing them, and checks what is right without them.",
  details: `
A wrong answer is continued --rollouts times from behind each of its tokens, and the continuations are judged. Its
critical token is the first from which none is right, and behind which fewer than 5 % are
(https://arxiv.org/abs/2411.19943, section 2). An answer's last token is not tested: it ends the answer.

Each critical token is checked by as many continuations that are drawn anew: behind it, from before it with nothing
forbidden, and from before it where it must not come next. pass@k says of each how likely one of k is right.

--answers says where wrong answers come from:
  sampled     --samples answers of the model to each of the first --rows questions of the data (default)
  data        the rows' own: the rejected ones of pairs, or responses beside which stands the right answer
  FILE.arrow  responses to the data's questions, as a run leaves them (stages/sample.arrow, stages/judge.arrow)

With --positive and --negative, adapters or models (of a run stages/contrast-models/positive/adapter and
negative/adapter), it is measured how well their contrast points at the critical tokens: the AUC of 1 - s, and how often
it is highest there. Beside it always stands what the model's own probability says without any contrast. --weights COLUMN measures a
column of the data with a number for each token of its answers (high is critical). The first token in which an answer
differs from the data's own is measured, too: that tells something where there is one way to write a right answer.

--out gets results.json, table.txt, report.html, answers.arrow (each answer with numbers for every token), and
records.jsonl, in which each count is kept as soon as it is there. A run that was stopped goes on with --resume, which
also takes more --rows, --samples, --per-question or --positions; what is there is not drawn again.`,
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...adapterFlag,
    ...dataFlag,
    ...{ format, field, split, "chat-template": template },
    answers: { type: "string", value: "SOURCE", description: "sampled (default), data, or FILE.arrow." },
    rows: { type: "string", value: "N", description: "Questions with answers. Default 50." },
    samples: { type: "string", value: "N", description: "Answers to draw to each question. Default 4." },
    "per-question": { type: "string", value: "N", description: "Wrong answers taken of a question. Default 1." },
    rollouts: { type: "string", value: "N", description: "Continuations of each beginning. Default 64." },
    positions: { type: "string", value: "A-B", description: "Tokens of an answer to test, from 0. Default: all." },
    temperature: { type: "string", value: "T", description: "Of all that is drawn. Default 1." },
    "top-k": { type: "string", value: "K", description: "Draw from the K most likely tokens." },
    "top-p": { type: "string", value: "P", description: "Draw from the most likely tokens that together reach P." },
    "max-tokens": { type: "string", value: "N", description: "Most new tokens of each text. Default 128." },
    seed: { type: "string", value: "N", description: "Seed of the draws. Default 0." },
    positive: { type: "string", value: "DIR", description: "Adapter or model that has learnt right answers." },
    negative: { type: "string", value: "DIR", description: "Adapter or model that has learnt wrong answers." },
    contrast: { type: "string", value: "B", description: "Beta of the estimate. Default 1." },
    plausibility: { type: "string", value: "A", description: "Leaves out tokens below this share of the likeliest." },
    weights: { type: "string", value: "COLUMN", description: "A column of token weights, of --answers data." },
    "batch-size": { type: "string", value: "N", description: "Texts drawn at once, for memory. Default 64." },
    out: { type: "string", short: "o", value: "DIR", description: `Folder for ${files.join(", ")}.` },
    resume: { type: "boolean", description: "Go on with the run in the folder." },
    overwrite: { type: "boolean", description: "Replace the run in the folder." },
    ...engineFlags,
  },
  run: async (values, { stdout, stderr }) => {
    const request = criticalRequest(values);
    const mode = { resume: values.resume ?? false, overwrite: values.overwrite ?? false };
    requireFolder(request.out, mode);
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    await withEngine(values, stderr, async (engine) => {
      using opened = await openModel(request.model, { adapter: values.adapter, say });
      const { model } = opened;
      using contrasted = request.contrast && (await openContrast(request.contrast, opened.trunk, say));
      using records = openRecords(request.out, await identityOf(model, values.adapter, request), mode);
      const { searched, chosen } = await search(model, request, { values, records, stderr, say });
      const contrast = contrasted && { models: contrasted, request: request.contrast! };
      const scores = await scoreTokens(model, chosen.wrong, contrast);
      const answers = chosen.wrong.map((answer, i) => ({ ...answer, search: searched[i]!, scores: scores[i]! }));
      const findings = findingsOf(answers, request);
      const telling = { rollouts: request.rollouts, tokenizer: model.tokenizer };
      const said = sentences(findings, chosen, telling);
      const about = { ...aboutOf(values, request), modelFingerprint: model.fingerprint, engine: engineText(engine) };
      const table = `${tablesOf(findings).join("\n")}\n${said.join("\n")}\n`;
      const { found, decisive, recovery, agreements, decisiveAgreements } = findings;
      const searchedCounts = { searched: answers.length, found: found.length, decisive: decisive.length };
      const json = {
        ...{ about, sentences: said, counts: { ...chosen.counts, ...searchedCounts }, recovery, agreements },
        ...{ decisiveAgreements, answers: answersJson(findings, model.tokenizer) },
      };
      const write = (name: string, content: string): void => {
        const path = join(request.out, name);
        writing(path, () => writeFileAtomically(path, content));
      };
      writeAnswers(join(request.out, "answers.arrow"), findings);
      write("results.json", `${JSON.stringify(json, undefined, 1)}\n`);
      write("table.txt", table);
      write("report.html", criticalPage(findings, { about, said, ...telling }));
      stdout.write(table);
      stderr.write(`${terminalText(join(request.out, "report.html"))}\n`);
    });
  },
});

/** The tables of the terminal; that of decisive tokens where some are not. */
function tablesOf(findings: Findings): string[] {
  const { found, decisive, agreements, decisiveAgreements } = findings;
  const titled = (title: string, { columns, rows }: ReturnType<typeof agreementTable>): string[] =>
    rows.length === 0 ? [] : [`${title}\n${resultText(columns, rows)}`];
  const some = decisive.length > 0 && decisive.length < found.length;
  const { columns, rows } = recoveryTable(findings);
  return [
    ...(rows.length === 0 ? [] : [resultText(columns, rows)]),
    ...titled(`All ${found.length} critical tokens:`, agreementTable(agreements)),
    ...(some ? titled(`The ${decisive.length} decisive ones:`, agreementTable(decisiveAgreements)) : []),
  ];
}

/** What decides the records, beside what each names itself. */
async function identityOf(
  { fingerprint }: Model,
  adapter: string | undefined,
  { rollouts, sampling }: CriticalRequest,
): Promise<Record<string, unknown>> {
  if (adapter === undefined) return { model: fingerprint, rollouts, ...sampling };
  const digests = adapterFiles
    .map((name) => join(adapter, name))
    .filter((path) => existsSync(path))
    .map(async (path) => (await digestOfFile(path)).sha256);
  return { model: fingerprint, adapter: (await Promise.all(digests)).join(" "), rollouts, ...sampling };
}

/** Draws, judges and searches answers; what was drawn before is taken from the records. */
async function search(
  model: Model,
  request: CriticalRequest,
  about: {
    values: ReadingValues;
    records: ReturnType<typeof openRecords>;
    stderr: TextStream;
    say: (sentence: string) => void;
  },
) {
  const { values, records, stderr, say } = about;
  const { verify, close } = verifier();
  using interruption = watchInterruption(() => say("stopping"));
  let shown: { label: string; progress: Progress } | undefined;
  const onProgress = (label: string, done: number, total: number): void => {
    if (shown?.label !== label) {
      shown?.progress.done();
      shown = { label, progress: createProgress({ stream: stderr, total, label }) };
    }
    shown.progress.update({ step: done });
    if (interruption.asked()) throw new Interrupted(`stopped: --resume goes on with what is in ${request.out}`);
  };
  try {
    const drawing = (done: number, total: number): void => onProgress("answers", done, total);
    const surroundings = { model, request, values, verify, records, say };
    const answers = await answersOf({ ...surroundings, onProgress: drawing });
    const chosen = chooseWrong(answers, {
      ...{ questions: request.rows, perQuestion: request.source === "data" ? 1 : request.perQuestion },
      where: values.data!,
    });
    const searched = await searchAnswers(model, chosen.wrong, { request, verify, records, onProgress });
    return { searched, chosen };
  } catch (error) {
    return interruption.rethrow(error);
  } finally {
    shown?.progress.done();
    await close();
  }
}

/** What was run, for the files. */
function aboutOf(
  values: { readonly data?: string; readonly adapter?: string },
  { model, source, rows, samples, perQuestion, rollouts, positions, sampling, contrast, weights }: CriticalRequest,
): Record<string, unknown> {
  return {
    ...{ model, ...(values.adapter !== undefined && { adapter: values.adapter }), data: values.data },
    answers: typeof source === "string" ? source : source.file,
    ...{ rows, ...(source === "sampled" && { samples }), ...(source !== "data" && { perQuestion }) },
    ...{ rollouts, ...sampling, ...contrast, ...(weights !== undefined && { weights }) },
    ...(positions[1] < Infinity || positions[0] > 0 ? { positions: positions.map((t) => Math.min(t, 1e9)) } : {}),
  };
}
