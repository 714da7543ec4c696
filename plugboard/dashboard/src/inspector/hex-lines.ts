// A text as the bytes of its UTF-8 form, to find characters that are invisible on the screen.

const BYTES_OF_LINE = 16
/** The first bytes of a body that are shown. */
export const MAX_HEX_BYTES = 16_384

/** Returns lines with the offset, the bytes and their printable ASCII characters. */
export function hexLines(text: string): string[] {
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_HEX_BYTES)
  return Array.from({ length: Math.ceil(bytes.length / BYTES_OF_LINE) }, (_, index) => {
    const line = [...bytes.subarray(index * BYTES_OF_LINE, (index + 1) * BYTES_OF_LINE)]
    const offset = (index * BYTES_OF_LINE).toString(16).padStart(6, '0')
    const digits = line.map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    const characters = line.map(byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
    return `${offset}  ${digits.padEnd(BYTES_OF_LINE * 3)} ${characters.join('')}`
  })
}
