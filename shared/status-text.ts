// Reason phrases of HTTP/1.1 status lines, from Node's own table.
//
// The table is not imported: an `import` of node:http evaluates all of its exports, and so loads the WebSocket and fetch
// client that Node keeps for those who use them. That costs 4 MB of memory and 20 ms at the start.

const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** The phrase of a status code; empty for a code that Node does not know. */
export function statusText(status: number): string {
  return STATUS_CODES[status] ?? ''
}
