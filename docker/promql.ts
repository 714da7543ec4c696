// Reads the metrics and labels that a PromQL query uses, for the test of the dashboard and the alerts. It knows the parts of
// the language that our queries use, and throws for a character that it does not know.

export interface QueryParts {
  /** Names of metrics and recorded rules, with the labels of their selectors. */
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[]
  /** The labels of `by` and `on`. */
  readonly groupedBy: readonly string[]
  /** Labels that `label_replace` creates. */
  readonly created: readonly string[]
}

const TOKEN =
  /\s+|"(?:[^"\\]|\\.)*"|\$__?\w+|\d+(?:\.\d+)?(?:ms|[smhdwy])?|[A-Za-z_:][\w:]*|=~|!~|!=|==|>=|<=|[=<>+\-*/%^(){}[\],]/y
const LISTS = new Set(['by', 'on', 'without', 'ignoring', 'group_left', 'group_right'])
const OPERATORS = new Set(['and', 'or', 'unless', 'bool', 'offset'])

export function queryParts(query: string): QueryParts {
  const tokens = tokensOf(query)
  const selectors: { metric: string; labels: string[] }[] = []
  const groupedBy: string[] = []
  const created: string[] = []
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as string
    if (!/^[A-Za-z_:]/.test(token) || OPERATORS.has(token)) continue
    const next = tokens[index + 1]
    if (LISTS.has(token)) {
      const end = next === '(' ? tokens.indexOf(')', index) : index
      groupedBy.push(...tokens.slice(index + 2, end).filter(each => each !== ','))
      index = end
    } else if (next === '{') {
      const end = tokens.indexOf('}', index)
      const labels = tokens
        .slice(index, end)
        .filter((_, at) => /^(=|!=|=~|!~)$/.test(tokens[index + at + 1] ?? ''))
      selectors.push({ metric: token, labels })
      index = end
    } else if (token === 'label_replace') {
      created.push(...createdLabel(tokens, index))
    } else if (next !== '(' && !LISTS.has(next ?? '')) {
      selectors.push({ metric: token, labels: [] })
    }
  }
  return { selectors, groupedBy, created }
}

function tokensOf(query: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < query.length) {
    const at = TOKEN.lastIndex
    const token = TOKEN.exec(query)?.[0]
    if (token === undefined)
      throw new Error(`cannot read the query at "${query.slice(at, at + 20)}": ${query}`)
    if (token.trim() !== '') tokens.push(token)
  }
  return tokens
}

/** Returns the second argument of `label_replace`, the name of the new label. */
function createdLabel(tokens: readonly string[], start: number): string[] {
  let depth = 0
  for (let index = start + 1; index < tokens.length; index += 1) {
    const token = tokens[index] as string
    if (/^[([{]$/.test(token)) depth += 1
    else if (/^[)\]}]$/.test(token)) depth -= 1
    else if (token === ',' && depth === 1) return [JSON.parse(tokens[index + 1] ?? '""') as string]
  }
  return []
}
