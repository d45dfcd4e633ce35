import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { ServerConfig } from "../../config/server-group.ts";
import { remove } from "../../system/files-in-use.ts";
import { verifier } from "../../text/index.ts";
import {
  drawResponses,
  givenResponse,
  judgeResponses,
  readDrawn,
  readResponses,
  writeDrawn,
  writeResponses,
  type Drawn,
  type Judged,
} from "../kit/responses/index.ts";
import { stoppable } from "../kit/reporter.ts";
import { drawServed } from "../kit/served/index.ts";
import { digestOf, digestOfStart, hash, type StageFile, type StageResult } from "./stages.ts";
import { rowsFile, type CdpoWork } from "./work.ts";

/** Responses drawn between two files of a sampling that may be interrupted, in batches. */
const batchesAPart = 16;

/** Where responses lie. */
export function drawnFile(work: CdpoWork): StageFile<Drawn[]> {
  return rowsFile(work, "sample", readDrawn, responseRows);
}

/** N responses of the starting model to every question. */
export function sampleStage(work: CdpoWork): Promise<StageResult<Drawn[]>> {
  const { config, inputs, questions, tokenizer, vocabularySize } = work;
  const { batchSize, server, ...sampling } = config.sampling;
  const { samples, temperature, topP, topK, maxNewTokens } = sampling;
  const { seed } = config.training;
  const parts = "stages/sample.parts";
  const output = "stages/sample.arrow";
  return work.stage({
    ...drawnFile(work),
    inputs: {
      model: inputs.identity["model"],
      ...digestOfStart(config.align.adapter),
      data: inputs.identity["data"],
      sampling,
      ...(server && { server: { protocol: server.protocol, model: server.model } }),
      seed,
    },
    output,
    leftovers: [parts],
    async work() {
      const reporter = stoppable(work.reporterOf("sample"), work.interrupted);
      const atOnce = Math.max(1, Math.floor((batchesAPart * batchSize) / sampling.samples));
      const total = questions.length * sampling.samples;
      const drawn: Drawn[] = [];
      for (let from = 0; from < questions.length; from += atOnce) {
        const path = join(work.run.path, parts, `${from}-${atOnce}.arrow`);
        if (!isWhole(path)) {
          const asked = questions.slice(from, from + atOnce);
          const onProgress = (done: number) => reporter.working("drawing responses", drawn.length + done, total);
          const draw = async () =>
            drawResponses(await work.trunk.start(), asked, { ...sampling, batchSize, seed, onProgress });
          const serve = async (by: ServerConfig) => {
            const round = { iteration: 0, answers: `${parts}/${from}-${atOnce}.jsonl`, onProgress };
            const served = await drawServed(by, asked, round, {
              ...{ model: { tokenizer, config: inputs.shape }, start: config.model, run: work.run.path, seed },
              ...{ sampling: { samples, temperature, topP, topK, maxNewTokens }, interrupted: work.interrupted },
            });
            if (served.lost > 0) reporter.note(`sample: the server did not give ${served.lost} responses.`);
            return served.drawn;
          };
          const part = await (server === undefined ? draw() : serve(server));
          writeDrawn(path, part);
          work.run.writeFile(`${parts}/${basename(digestPath(path))}`, digestOf(path));
        }
        drawn.push(...readDrawn(path, { vocabularySize }));
      }
      writeDrawn(join(work.run.path, output), drawn);
      remove(join(work.run.path, parts));
    },
  });
}

const digestPath = (path: string): string => `${path}.sha256`;

/** Whether a part lies there as it was written. The process may have ended before its digest was. */
function isWhole(path: string): boolean {
  if (!existsSync(path)) return false;
  const digest = digestPath(path);
  return !existsSync(digest) || readFileSync(digest, "utf8") === digestOf(path);
}

const responseRows = { noun: "response", of: givenResponse };

/** Where judged responses lie. */
export function judgedFile(work: CdpoWork): StageFile<Judged[]> {
  return rowsFile(work, "judge", readResponses, responseRows);
}

/** Judges the responses by their final answers. */
export function judgeStage(work: CdpoWork, sampled: StageResult<Drawn[]>): Promise<StageResult<Judged[]>> {
  const { config, inputs, questions, tokenizer } = work;
  const output = "stages/judge.arrow";
  const { timeLimit, ...rules } = config.verifier;
  return work.stage({
    ...judgedFile(work),
    needs: [sampled],
    inputs: {
      data: inputs.identity["data"],
      references: hash(JSON.stringify(questions.map(({ reference }) => reference))),
      rules,
    },
    output,
    async work() {
      const reporter = stoppable(work.reporterOf("judge"), work.interrupted);
      const { verify, close } = verifier({ ...rules, timeLimit });
      try {
        const drawn = await sampled.load();
        const judged = await judgeResponses(drawn, questions, {
          tokenizer,
          verify,
          onProgress: (done) => reporter.working("judging", done, drawn.length),
        });
        writeResponses(join(work.run.path, output), judged);
        const right = judged.filter(({ verdict }) => verdict === "correct").length;
        reporter.note(`judge: ${right} of ${judged.length} responses are right.`);
      } finally {
        await close();
      }
    },
  });
}
