/** What the CLI prints with `--json`, as scripts rely on it; and the oracle of number-cruncher. */

export interface RunJson {
  readonly runId: string;
  readonly state: string;
  readonly reason?: string;
  readonly tasks: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly wallMs: number;
  readonly result?: unknown;
  readonly failures: readonly FailureJson[];
  readonly late: readonly { readonly task: number; readonly message: string; readonly stack: string }[];
  readonly hostRestarts: number;
}

export interface FailureJson {
  readonly task: number;
  readonly node: string;
  readonly attempt: number;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly exit: number | null;
  readonly signal: string | null;
  readonly rssBytes: number;
  readonly stderrTail: string;
}

export interface ShownRun extends RunJson {
  readonly accounting: {
    readonly fenced: number;
    readonly lostAttempts: number;
    readonly taskRetries: number;
    readonly copies: number;
    readonly copiesWon: number;
    readonly peakRssBytes: number;
    readonly nodes: readonly { readonly node: string; readonly tasks: number; readonly hosts: number }[];
  };
}

export interface StatusJson {
  /** `metrics`: where its own are. */
  readonly coordinator: { readonly pid: number | null; readonly address: string; readonly metrics: string | null };
  readonly nats: {
    readonly servers: readonly string[];
    readonly journal: boolean;
    readonly complaint: string | null;
    /** Of the cluster that is up. */
    readonly server: { readonly address: string; readonly pid: number; readonly gone: boolean } | null;
  };
  readonly nodes: readonly {
    readonly id: string;
    readonly pid: number;
    readonly state: string;
    readonly cores: number;
    readonly quota: number;
    readonly lanes: number;
  }[];
}

export interface ResultJson {
  readonly task: number;
  readonly value?: unknown;
  readonly failed?: true;
}

/** 0² + 1² + ... + (n-1)²: the square pyramidal numbers. */
export const sumOfSquares = (n: number): string => {
  const big = BigInt(n);
  return (((big - 1n) * big * (2n * big - 1n)) / 6n).toString();
};

/** The sums that number-cruncher must give for `count` tasks from n on. */
export const sumsFrom = (n: number, count: number): string[] =>
  Array.from({ length: count }, (_, x) => sumOfSquares(n + x));
