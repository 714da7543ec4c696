// Reason phrases of HTTP/1.1 status lines, from Node's own table.
//
// node:http is not imported: an `import` evaluates all of its exports, and so loads the WebSocket and fetch clients of Node.
// That costs 4 MB of memory and 20 ms at the start.

const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** Returns the phrase of a status code; empty for a code that is not in the table of Node. */
export function statusText(status: number): string {
  return STATUS_CODES[status] ?? ''
}
