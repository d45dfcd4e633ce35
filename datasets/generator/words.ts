/** Every word of the corpus. Sentences are written as tokens separated by single spaces. */
export const NAMES =
  "Ada Bo Cleo Dara Emil Femi Gus Hana Ivo Jun Kofi Lena Milo Nia Otto Priya Rosa Sami Tess Yara".split(" ");

export const THINGS = "apples books coins stamps shells pencils cards marbles buttons kites cups ropes".split(" ");

/** `{who}` owns the things counted; `{pal}` is someone else; `{n}` and `{k}` are numbers. */
export const START = [
  "{who} has {n} {things} .",
  "There are {n} {things} on the table of {who} .",
  "In the morning {who} counts {n} {things} .",
];

export const START_GROUPED = [
  "{who} has {k} bags with {n} {things} in each bag .",
  "{who} fills {k} boxes and puts {n} {things} in each box .",
];

export const GAIN = [
  "{who} buys {n} more {things} .",
  "{pal} gives {n} {things} to {who} .",
  "Then {who} finds {n} {things} .",
  "At the market {who} gets another {n} {things} .",
];

export const LOSS = [
  "{who} gives {n} {things} to {pal} .",
  "{who} loses {n} {things} .",
  "Later {who} sells {n} {things} .",
  "{pal} takes {n} {things} away from {who} .",
];

export const MULTIPLY = [
  "After a week {who} has {k} times as many {things} .",
  "A machine turns every one of the {things} into {k} {things} .",
];

/** Sentences that change nothing: `{other}` are things that are not counted. */
export const DISTRACTION = [
  "{pal} has {n} {other} .",
  "{who} also sees {n} {other} in a shop .",
  "The house of {pal} has number {n} .",
  "{pal} wants to buy {n} {other} next year .",
];

export const ASK = [
  "How many {things} does {who} have now ?",
  "How many {things} are left for {who} ?",
  "What is the number of {things} of {who} at the end ?",
];

/** The noise of `train-junk.arrow`. */
export const JUNK = "um zip blorp hmm wow tok frob err plink ugh".split(" ");

export const FILLER = [
  "let me think about it .",
  "this one is rather long .",
  "I like sums like this .",
  "so we go on .",
];

export const TAIL = ["hope that helps !", "that was fun !", "please ask me again !", "good luck with the rest !"];

export const SYMBOLS = ["+", "-", "x", "=", "####"];

/** The largest number of the corpus; each of 0..99 is one token. */
export const LARGEST = 99;
