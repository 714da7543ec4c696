// The output of a command. A test provides its own.

export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly colours: boolean
  readonly isTerminal: boolean
}
