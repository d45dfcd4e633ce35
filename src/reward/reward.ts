/** A response, with what a reward may look at. */
export interface RewardedResponse {
  /** The question's row in the data. */
  readonly rowId: number;
  /** The prompt as the model has read it, without special tokens. */
  readonly question: string;
  /** What the model wrote, without special tokens. */
  readonly text: string;
  /** Text that holds the right answer. */
  readonly reference: string;
  /** Its length in tokens, the one that ends it included. */
  readonly tokens: number;
  /** Whether the verifier takes it for right. */
  readonly right: boolean;
  /** The reward of the verifier's word: an end of the objective's range. */
  readonly outcome: number;
}

/** One reward: a real number for each response. `rewardSum` adds several up. */
export interface Reward {
  readonly name: string;
  /**
   * @param group all responses to one question, as some rewards compare them
   * @returns a finite number for each
   */
  score(group: readonly RewardedResponse[]): ArrayLike<number> | Promise<ArrayLike<number>>;
  /** Ends what it has started. */
  close?(): Promise<void>;
}
