// Reads server-sent events from the body of a response (the format of the HTML standard, section 9.2.6). EventSource cannot send an
// Authorization field, so elements in other pages read the stream with `fetch`.

export interface ReceivedEvent {
  readonly name: string
  readonly data: string
}

/** A line that is longer does not come from Plugboard. */
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024

/** Calls `onEvent` for each event, and `onBytes` for each chunk. Resolves at the end of the stream. Rejects when it breaks. */
export async function readEventStream(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { onEvent, onBytes }: { onEvent: (event: ReceivedEvent) => void; onBytes: () => void },
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  const parser = new EventParser(onEvent)
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    onBytes()
    parser.add(value)
  }
}

export class EventParser {
  readonly #onEvent: (event: ReceivedEvent) => void
  #text = ''
  #name = ''
  #data: string[] = []

  constructor(onEvent: (event: ReceivedEvent) => void) {
    this.#onEvent = onEvent
  }

  /** Adds a chunk. Throws when a line is too long. */
  add(chunk: string): void {
    const lines = (this.#text + chunk).split(/\r\n|[\r\n]/)
    // Plugboard ends lines with a line feed alone, so a chunk never ends within the end of a line.
    this.#text = lines.pop() ?? ''
    if (this.#text.length > MAX_LINE_CHARACTERS)
      throw new Error('The event stream has a line that is too long.')
    for (const line of lines) this.#addLine(line)
  }

  #addLine(line: string): void {
    if (line === '') this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#name = value
    else if (field === 'data') this.#data.push(value)
  }

  #dispatch(): void {
    if (this.#data.length > 0) this.#onEvent({ name: this.#name || 'message', data: this.#data.join('\n') })
    this.#name = ''
    this.#data = []
  }
}
