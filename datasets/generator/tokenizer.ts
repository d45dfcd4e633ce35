import {
  ASK,
  DISTRACTION,
  FILLER,
  GAIN,
  JUNK,
  LARGEST,
  LOSS,
  MULTIPLY,
  NAMES,
  START,
  START_GROUPED,
  SYMBOLS,
  TAIL,
  THINGS,
} from "./words.ts";

const SPECIAL = { pad: "<pad>", unknown: "<unk>", begin: "<s>", end: "</s>" };

/** Question and answer turns; the end of a turn is `</s>`. */
const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}" +
  "{% if message['role'] == 'assistant' %}Answer: {{ message['content'] }}{{ eos_token }}" +
  "{% elif message['role'] == 'user' %}Question: {{ message['content'] }} " +
  "{% else %}{{ raise_exception('this template knows the roles user and assistant only') }}{% endif %}" +
  "{% endfor %}{% if add_generation_prompt %}Answer: {% endif %}";

/** The vocabulary in id order: special tokens, the numbers 0..99 (id = number + 4), symbols, then words. */
export function vocabulary(): string[] {
  const numbers = Array.from({ length: LARGEST + 1 }, (_, n) => String(n));
  const sentences = [START, START_GROUPED, GAIN, LOSS, MULTIPLY, DISTRACTION, ASK, FILLER, TAIL].flat();
  const words = sentences.flatMap((sentence) => sentence.split(" ")).filter((word) => !word.startsWith("{"));
  const all = [...Object.values(SPECIAL), ...numbers, ...SYMBOLS, "Question:", "Answer:"];
  return [...new Set([...all, ...NAMES, ...THINGS, ...words, ...JUNK])];
}

/** A word-level tokenizer in Hugging Face's layout, by file name. */
export function tokenizerFiles(): Record<string, string> {
  const words = vocabulary();
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Object.values(SPECIAL).map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      unk_token: SPECIAL.unknown,
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: SPECIAL.begin,
    eos_token: SPECIAL.end,
    unk_token: SPECIAL.unknown,
    pad_token: SPECIAL.pad,
    add_bos_token: false,
    add_eos_token: false,
    clean_up_tokenization_spaces: false,
    model_max_length: 256,
    chat_template: CHAT_TEMPLATE,
  };
  return { "tokenizer.json": json(tokenizer), "tokenizer_config.json": json(config) };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
