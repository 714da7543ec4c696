// Where a command writes to, so that tests can read it.

export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly colours: boolean
  readonly isTerminal: boolean
}
