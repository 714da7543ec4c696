// Where a value came from, and what is wrong with it: the vocabulary of the three readers (flags, environment,
// file) and of the loader that puts them in order.

export interface Source {
  readonly kind: 'flag' | 'variable' | 'file' | 'default' | 'none'
  /** `flag --listen`, `argument <target>`, `variable PLUGBOARD_LISTEN`, `plugboard.yaml:12`, `default`, `not set`. */
  readonly label: string
}

/** A value that some source proposes for the setting `key`. `parsed`: it has been through a schema already. */
export interface SettingCandidate {
  readonly key: string
  readonly raw: unknown
  readonly source: Source
  /** What a relative path in it starts at. */
  readonly folder: string
  readonly parsed?: boolean
}

export interface SettingProblem {
  /** The label of a source. */
  readonly source: string
  /** What is wrong and what to write instead; never the value of a secret. */
  readonly detail: string
}

export interface Reading {
  readonly candidates: readonly SettingCandidate[]
  readonly problems: readonly SettingProblem[]
  /** Problems that do not prevent the use of the values; the caller reports them. */
  readonly warnings?: readonly SettingProblem[]
}

/** All that is wrong with the settings, at once. The message is ready to be shown. */
export class SettingsError extends Error {
  readonly problems: readonly SettingProblem[]

  constructor(problems: readonly SettingProblem[]) {
    const lines = problems.map(({ source, detail }) => `${source}: ${detail}`)
    super(
      lines.length === 1
        ? lines[0]
        : `${lines.length} settings cannot be used:\n${lines.map(line => `  ${line}`).join('\n')}`,
    )
    this.name = 'SettingsError'
    this.problems = problems
  }
}
