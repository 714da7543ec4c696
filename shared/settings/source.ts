// The types for the source and the problem of a value. The three readers (flags, environment, file) and the loader use them.

export interface Source {
  readonly kind: 'flag' | 'variable' | 'file' | 'default' | 'none'
  /** One of `flag --listen`, `argument <target>`, `variable PLUGBOARD_LISTEN`, `plugboard.yaml:12`, `default`, `not set`. */
  readonly label: string
}

/** A value of one source for the setting `key`. `parsed` is true when a schema has already checked the value. */
export interface SettingCandidate {
  readonly key: string
  readonly raw: unknown
  readonly source: Source
  /** The folder at which a relative path in the value starts. */
  readonly folder: string
  readonly parsed?: boolean
}

export interface SettingProblem {
  /** The label of a source. */
  readonly source: string
  /** The problem and its remedy, without the value of a secret. */
  readonly detail: string
}

export interface Reading {
  readonly candidates: readonly SettingCandidate[]
  readonly problems: readonly SettingProblem[]
  /** Problems that do not prevent the use of the values; the caller reports them. */
  readonly warnings?: readonly SettingProblem[]
}

/** All problems of the settings. The message can be shown to a person without changes. */
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
