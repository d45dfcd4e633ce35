/** What a kernel takes before its range: one letter a value. */
export interface Signature {
  /** `r` a place read, `w` a place written (and perhaps read), `s` the place of scratch space, `.` a number. */
  values: string;
  /** Each unit is a line of 64 bytes, the same of every operand. */
  byLine?: true;
}

const byLine = true;

/** The kernels that run over a range and whose operands are all among their values, in the order of their files. */
export const signatures: Record<string, Signature> = {
  activate: { values: ".rw", byLine },
  activateGradient: { values: ".rrw", byLine },
  gatedUnit: { values: ".rrw", byLine },
  gatedUnitGradient: { values: ".rrrww", byLine },
  attention: { values: "rrrwwrwr.......s." },
  attentionGradient: { values: "rrrrrrwwwr......s." },
  meanOverHeads: { values: "rw.." },
  cachedAttention: { values: "rrrwrrr......s" },
  raggedAttention: { values: "rrrwrr......s" },
  binaryRows: { values: ".r..r..w." },
  binarySame: { values: ".rrw", byLine },
  swiglu: { values: "rrw", byLine },
  swigluGradient: { values: "rrrww", byLine },
  unary: { values: ".rw", byLine },
  gatedAttention: { values: "rrrrwwrrr......s." },
  gatedAttentionGradient: { values: "rrrrrrrwwwwrrr......s." },
  layerNorm: { values: "rrrwww.." },
  layerNormGradient: { values: "rrrrrwww..." },
  addRows: { values: "rrw.." },
  copyRows: { values: "r.w.." },
  gatherRows: { values: "rrw." },
  scatterRows: { values: "rrw." },
  transpose: { values: "rw......." },
  transposeMatrix: { values: "rw.." },
  logitGradient: { values: "wrr..s" },
  targetLogProbs: { values: "rr.wwwsw" },
  rmsNorm: { values: "rrww.." },
  rmsNormGradient: { values: "rrrrww..." },
  rotary: { values: "rrrw...." },
  softCap: { values: "rw.", byLine },
  adamw: { values: "wrww.........", byLine },
  productRow: { values: ".rrw" },
  argMaxRows: { values: "rw." },
  maxRows: { values: "rw." },
  softmaxRows: { values: "rw." },
  squareSums: { values: "r.w" },
  sumColumns: { values: "rw..." },
  sumRows: { values: "rw.." },
  gatherStored: { values: "....rw.s." },
  widenRows: { values: "........ws." },
};
