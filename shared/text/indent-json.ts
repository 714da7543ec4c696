// Indents JSON without parsing it. So the digits of large numbers stay as they were sent, and the beginning of a JSON text that was cut can be
// shown too.

const INDENT = '  '

/** `text`: JSON, several JSON texts in a row, or the beginning of one. Other characters stay. */
export function indentJson(text: string): string {
  const parts: string[] = []
  let depth = 0
  let at = 0
  const newLine = (): void => {
    parts.push('\n', INDENT.repeat(depth))
  }
  while (at < text.length) {
    const character = text[at] as string
    if (character === '"') {
      const end = endOfString(text, at)
      parts.push(text.slice(at, end))
      at = end
      continue
    }
    at += 1
    if (character === '{' || character === '[') {
      const next = skipSpace(text, at)
      const isEmpty = text[next] === (character === '{' ? '}' : ']')
      if (depth === 0 && parts.length > 0) parts.push('\n')
      parts.push(character)
      if (isEmpty) {
        parts.push(text[next] as string)
        at = next + 1
      } else {
        depth = Math.min(depth + 1, MAX_DEPTH)
        newLine()
      }
    } else if (character === '}' || character === ']') {
      depth = Math.max(0, depth - 1)
      newLine()
      parts.push(character)
    } else if (character === ',') {
      parts.push(character)
      newLine()
    } else if (character === ':') parts.push(': ')
    else if (!isSpace(character)) parts.push(character)
  }
  return parts.join('')
}

/** Deeper levels are not indented further, so that the result stays short. */
const MAX_DEPTH = 32
const isSpace = (character: string | undefined): boolean =>
  character === ' ' || character === '\n' || character === '\r' || character === '\t'

function skipSpace(text: string, from: number): number {
  let at = from
  while (isSpace(text[at])) at += 1
  return at
}

/** Returns the index after the closing quote, or the end of a text that was cut. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return Math.min(at + 1, text.length)
}
