// Request ids. A valid id of the client is kept; otherwise Plugboard makes one (ids/uuid-v7.ts).

/** True when the value has 1-128 visible ASCII characters. */
export function looksLikeRequestId(value: string): boolean {
  if (value.length === 0 || value.length > 128) return false
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index)
    if (code < 0x21 || code > 0x7e) return false
  }
  return true
}
