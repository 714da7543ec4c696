// The labels of a replica, as its setting `labels` states them: a list of `key=value`.

/** Returns the problem of a text that is not a label. */
export function labelProblem(text: string): string | undefined {
  return /^[^=]{1,63}=.{0,255}$/.test(text) ? undefined : `"${text}" is not a label; expected key=value`
}

/** Returns the labels by name. Of several values for one name, the last one applies. */
export function labelsOf(labels: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    labels.map(label => {
      const equals = label.indexOf('=')
      return [label.slice(0, equals), label.slice(equals + 1)]
    }),
  )
}
